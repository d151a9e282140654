"""A world behind the activity signatures: pools, workloads and Workspaces as plain data, with programmable failures.

Registers one body per signature, records every call, and can fail, block or lose any of them.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Final, Literal

from temporalio import activity

from activities.contract import plan as p
from activities.contract import signatures
from activities.contract import tuning as t
from activities.contract.failures import failure
from activities.contract.models import ModelRequest, PinnedModel
from activities.contract.nodes import NodesReady, PoolBought, PoolKey, Released
from activities.contract.payloads import Observed, StatusPatch, WorkspaceKey
from activities.contract.plan import Check, Plan, PlanRequest, Preflight
from activities.contract.serving import (
    Completions,
    Health,
    HealthRequest,
    ServingReady,
    ServingRequest,
    Undeployed,
    UndeployRequest,
    VerifyRequest,
    WorkloadApplied,
    WorkloadRequest,
)
from activities.contract.signatures import Signature
from activities.contract.sweep import (
    Inventory,
    OwnedResource,
    Providers,
    RunningWorkflows,
    SweepScope,
    WorkspaceList,
    WorkspaceRef,
)
from activities.heartbeat import heartbeating
from api import names
from api.providers import Provider
from presets.plan.document import PlanReport

INSTANCE_TYPE = "Standard_NC24ads_A100_v4"
ADAPTER: Final = f"sha256:{'a' * 64}"


class World:
    """What exists, what was called, and what goes wrong next."""

    def __init__(self) -> None:
        self.generation = 1
        self.exists = True
        self.uid = "uid-1"
        self.deleting = False
        self.paused: bool | None = None
        self.finalizer = False
        self.instance_type = INSTANCE_TYPE
        self.digest = "digest-1"
        self.applied = ""
        self.kept: list[str] = []
        self.restored: list[str] = []
        self.refused: Exception | None = None
        self._may_restore = asyncio.Event()
        self._may_restore.set()
        self.checks_of: dict[str, list[Check]] = {}
        self.bought: list[tuple[str, bool]] = []
        self.repairs = 0
        self.options: list[tuple[str, bool]] = []
        self.planned: list[p.Option] = []
        self.provider: Provider = "aks"
        self.uid_is_anothers = False
        self.more_providers: list[Provider] = []
        self.nodes_are_there = True
        self.node_silent = False
        self.pools: dict[str, str] = {}
        self.workloads: set[str] = set()
        self.made: dict[str, str] = {}
        self.removals: list[dict[str, str]] = []
        self.kind: Literal["preset", "template", "tuning"] = "preset"
        self.waited_for: list[ServingRequest] = []
        self.looked_for: list[HealthRequest] = []
        self.output_image = "registry.example/adapters/one:v1"
        self.training_digest = "training-1"
        self.jobs: dict[str, str] = {}
        self.volume = False
        self.trained = t.Trained(step=21, steps_trained=21, loss=0.0123)
        self.ready_pods = 1
        self.adapters: tuple[str, ...] = ()
        self.verified: list[str] = []
        self.checks = [Check(name="SkuOffered", outcome="passed")]
        self.workload_checks = [Check(name="ImagesPullable", outcome="passed")]
        self.inventory: list[OwnedResource] = []
        self.population: list[WorkspaceRef] = []
        self.runs: list[WorkspaceKey] = []
        self.searchable = True
        self.statuses: list[dict[str, Any]] = []
        self.statuses_by_uid: dict[str, dict[str, Any]] = {}
        self.calls: Counter[str] = Counter()
        self.order: list[str] = []
        self.cancelled: Counter[str] = Counter()
        self._failures: defaultdict[str, list[Exception | None]] = defaultdict(list)
        self._gates: dict[str, asyncio.Event] = {}
        self._loss = asyncio.Event()
        self.entered: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def fail_next(self, signature: Signature[Any, Any], *errors: Exception | None) -> None:
        """The next calls of that activity raise these, one each; None stands for a call that goes well."""
        self._failures[signature.name] += errors

    def failures_left(self, signature: Signature[Any, Any]) -> int:
        """How many of them have not been raised yet."""
        return len(self._failures[signature.name])

    def block(self, signature: Signature[Any, Any]) -> asyncio.Event:
        """The activity waits until the returned event is set."""
        self._gates[signature.name] = asyncio.Event()
        return self._gates[signature.name]

    def hold_restore(self) -> asyncio.Event:
        """What served before is not put back until the returned event is set."""
        self._may_restore = asyncio.Event()
        return self._may_restore

    def lose_a_node(self) -> None:
        """Whoever is at work on the nodes now, or is next, is told of a loss; what is bought after it is not lost."""
        self._loss.set()

    @staticmethod
    def now() -> datetime:
        """The server's time, which the time-skipping server moves."""
        return activity.info().started_time

    def activities(self) -> list[Callable[..., Any]]:
        """One body per signature, under its name."""
        return [self._body(signature) for signature in signatures.ALL]

    def _body(self, signature: Signature[Any, Any]) -> Callable[..., Any]:
        effect = getattr(self, f"_{signature.name}")

        @activity.defn(name=signature.name)
        async def body(argument: signature.argument) -> signature.result:  # type: ignore[name-defined]  # known when it runs
            self.calls[signature.name] += 1
            self.order.append(signature.name)
            self.entered[signature.name].set()
            if signature.waits:
                async with heartbeating():
                    await self._unless_lost(argument, self._obstacles(signature))
            else:
                await self._obstacles(signature)
            if isinstance(argument, WorkloadRequest) and argument.restore:
                await self._may_restore.wait()
            return effect(argument)

        return body

    async def _obstacles(self, signature: Signature[Any, Any]) -> None:
        try:
            if signature.name in self._gates:
                await self._gates[signature.name].wait()
        except asyncio.CancelledError:
            self.cancelled[signature.name] += 1
            raise
        error = self._failures[signature.name].pop(0) if self._failures[signature.name] else None
        if error is not None:
            raise error

    async def _unless_lost(self, argument: Any, obstacles: Coroutine[Any, Any, None]) -> None:
        """Raises NodeLost if a node is lost before the work on it may go on."""
        held = getattr(argument, "nodes", None)
        if held is None:
            return await obstacles
        work, loss = asyncio.ensure_future(obstacles), asyncio.ensure_future(self._loss.wait())
        try:
            await asyncio.wait([work, loss], return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self._loss.clear()
                raise failure("NodeLost", f"no longer ready: {held.names}", final=True, names=held.names)
            work.result()
        finally:
            loss.cancel()
            work.cancel()
            await asyncio.gather(work, loss, return_exceptions=True)

    def _build_plan(self, request: PlanRequest) -> p.Planned:
        return p.Planned.of(self._options(request), protected=self.finalizer)

    def _read_wanted(self, request: p.WantedRequest) -> p.Wanted:
        return p.Wanted.of(self._options(request), request.terms)

    def _options(self, request: PlanRequest) -> list[p.Option]:
        if not self.exists or self.deleting:
            raise failure("WorkspaceGone", "gone")
        if self.refused:
            raise self.refused
        if self.planned:
            return self.planned
        key = WorkspaceKey(namespace=request.namespace, name=request.name, uid=request.uid)
        options = self.options or [(self.instance_type, False)]
        plans = [self._plan(key, request.held or self.provider, *option) for option in options]
        return [
            p.Option(plan=plan, report=PlanReport(namespace=key.namespace, name=key.name, nodes=plan.node_count))
            for plan in plans
        ]

    def _plan(self, key: WorkspaceKey, provider: Provider, instance_type: str, spot: bool) -> Plan:
        return Plan(
            spot=spot,
            key=key,
            provider=provider,
            generation=self.generation,
            kind=self.kind,
            **self._of_a_training(),
            model="org/model",
            served_model_name="model",
            adapters=self.adapters,
            instance_type=instance_type if provider != "byo" else "",
            node_count=1,
            gpus_per_node=1,
            pool_name=names.pool_name(key.uid),
            os_disk_gib=100,
            price_per_hour=3.67 if provider != "byo" else None,
            digest=self.digest if instance_type == self.instance_type else f"{self.digest} {instance_type}",
        )

    def _of_a_training(self) -> dict[str, Any]:
        if self.kind != "tuning":
            return {}
        return {
            "method": "lora",
            "volume_gib": 20,
            "output_image": self.output_image,
            "output_secret": "push",
            "training_digest": self.training_digest,
        }

    def _read_workspace(self, key: WorkspaceKey) -> Observed:
        return self._observed()

    def _observed(self) -> Observed:
        return Observed(
            found=self.exists, uid=self.uid, generation=self.generation, deleting=self.deleting, paused=self.paused
        )

    def _read_health(self, request: HealthRequest) -> Health:
        self.looked_for.append(request)
        return Health(
            workload_found=bool(self.workloads),
            digest=self.applied if self.workloads else "",
            ready_pods=self.ready_pods,
            ready_nodes=["node-1"] if self.pools and self.nodes_are_there else [],
        )

    def _read_preflight(self, plan: Plan) -> Preflight:
        return Preflight(checks=self.checks_of.get(plan.instance_type, self.checks))

    def _read_cluster_preflight(self, plan: Plan) -> Preflight:
        return Preflight(checks=self.checks)

    def _read_workload_preflight(self, plan: Plan) -> Preflight:
        return Preflight(checks=self.workload_checks)

    def _wait_for_gpus_offered(self, plan: Plan) -> Check:
        return Check(name="GpusOffered", outcome="passed", message="by DaemonSet gpu-resources/plugin")

    def _read_model_revision(self, request: ModelRequest) -> PinnedModel:
        return PinnedModel(model=request.model, revision="0" * 40, weight_bytes=1)

    def _read_completions(self, request: VerifyRequest) -> Completions:
        self.verified = request.model_names
        return Completions(answered=len(request.pods), slowest_s=0.1)

    def _ensure_finalizer(self, key: WorkspaceKey) -> Observed:
        self.finalizer = True
        return self._observed()

    def _ensure_node_pool(self, plan: Plan) -> PoolBought:
        self.bought.append((plan.instance_type, plan.spot))
        self.repairs += plan.repair
        held = self.pools.setdefault(plan.pool_name, plan.instance_type)
        assert held == plan.instance_type, "a pool cannot change its machine type"
        return PoolBought(
            pool_name=plan.pool_name,
            instance_type=held,
            node_count=1,
            provisioning_state="Succeeded",
            accepted_at=self.now(),
        )

    _ensure_node_claims = _ensure_node_reservations = _ensure_node_pool

    def _ensure_workload(self, request: WorkloadRequest) -> WorkloadApplied:
        self.workloads.add(request.plan.key.name)
        self.applied = request.plan.digest
        self.made = {"Deployment": f"of {request.plan.digest}"}
        assert not request.restore or request.plan.digest in (*self.kept, self.applied), "it was not kept"
        self.restored += [request.plan.digest] if request.restore else []
        return WorkloadApplied(digest=request.plan.digest, made=self.made, kept=self._keep(request.keep))

    def _keep(self, digest: str) -> str:
        self.kept += [digest] if digest else []
        return digest

    def _wait_for_nodes(self, plan: Plan) -> NodesReady:
        return NodesReady(names=["node-1"])

    def _wait_for_serving(self, request: ServingRequest) -> ServingReady:
        self.waited_for.append(request)
        return ServingReady(pods=["pod-1"], nodes=["node-1"])

    def _ensure_tuning_job(self, request: t.JobRequest) -> t.JobApplied:
        plan = request.plan
        assert request.part != "publish" or not self.pools, "nodes are paid for while the adapter is pushed"
        assert request.part != "fetch" or not self.pools, "nodes are paid for while data is fetched"
        self.volume = True
        about = plan.output_image if request.part == "publish" else plan.training_digest
        self.jobs[request.part] = f"{request.part} {about}"
        return t.JobApplied(name=names.tuning_job(plan.key.name, request.part), digest=self.jobs[request.part])

    def _wait_for_tuning_job(self, wait: t.JobWait) -> t.JobDone:
        assert self.jobs.get(wait.part) == wait.digest
        if wait.until == "started":
            return t.JobDone()
        found = t.DataFound(digest="d" * 64, rows=30, usable=30, bytes=1000, tokens=900)
        adapter = t.PublishedAdapter(
            image=self.output_image, digest=ADAPTER, pinned=f"registry.example/adapters/one@{ADAPTER}", bytes=7
        )
        done = {"fetch": {"data": found}, "train": {"trained": self.trained}, "publish": {"published": adapter}}
        return t.JobDone.model_validate(done[wait.part])

    def _delete_tuning(self, request: t.TuningKey) -> Undeployed:
        self.jobs.clear()
        self.volume = self.volume and not request.volume
        return Undeployed(left=self._lasting(nodes_go=request.nodes_go))

    def _read_adapter(self, request: t.AdapterRequest) -> t.PublishedAdapter:
        return t.PublishedAdapter(image=request.image, digest=request.digest)

    def _patch_status(self, patch: StatusPatch) -> Observed:
        if self.exists:
            self.statuses.append(patch.status)
            self.statuses_by_uid[patch.workspace.uid] = patch.status
        return self._observed()

    def _delete_workload(self, request: UndeployRequest) -> Undeployed:
        self.removals.append(request.made)
        left = self._lasting(nodes_go=request.nodes_go)
        if not left:
            self.workloads.discard(request.workspace.name)
        return Undeployed(left=left, kept=self._keep(request.keep))

    def _lasting(self, *, nodes_go: bool) -> list[str]:
        """Pods on a node that does not answer: they are there as long as the node is."""
        assert not self.node_silent or nodes_go or not self.pools, "the pods last until the node is gone"
        return ["pod-1"] if self.node_silent and self.pools else []

    def _delete_node_pool(self, key: PoolKey) -> Released:
        existed = bool(self.pools)
        self.pools.clear()
        self.inventory = [thing for thing in self.inventory if thing.name != key.pool_name]
        return Released(pool_name=key.pool_name, gone_at=self.now(), existed=existed)

    _delete_node_claims = _delete_node_reservations = _delete_node_pool

    def _wait_for_own_nodes(self, request: PlanRequest) -> NodesReady:
        return NodesReady(names=["own-node"])

    def _wait_for_no_nodes(self, key: WorkspaceKey) -> NodesReady:
        return NodesReady(names=[])

    def _read_providers(self, key: WorkspaceKey) -> Providers:
        return Providers(names=[] if self.uid_is_anothers else [*self.more_providers, self.provider])

    def _read_owned_nodes(self, scope: SweepScope) -> Inventory:
        things = [thing for thing in self.inventory if thing.kind != "node_pool"]
        return Inventory(things=things, cloud=self.provider == "aks")

    def _read_owned_pools(self, scope: SweepScope) -> Inventory:
        return Inventory(things=[thing for thing in self.inventory if thing.kind == "node_pool"])

    def _read_population(self, scope: SweepScope) -> WorkspaceList:
        return WorkspaceList(workspaces=self.population)

    def _read_runs(self, scope: SweepScope) -> RunningWorkflows:
        return RunningWorkflows(workspaces=self.runs, searchable=self.searchable)

    def _delete_finalizer(self, key: WorkspaceKey) -> Observed:
        self.finalizer = False
        if self.deleting:
            self.exists = False
        return self._observed()
