"""One Workspace's name in a cluster and a cloud that keep their rules, as plain data, and a list of what went wrong.

Uids, generations, deletes and finalizers are as Kubernetes has them; pools and workloads know whom they belong to. What
must never happen, whatever is said and whatever fails, is noted where it would happen.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from activities.contract import plan as p
from activities.contract import tuning as t
from activities.contract.failures import failure
from activities.contract.models import ModelRequest, PinnedModel
from activities.contract.nodes import NodesHeld, NodesReady, PoolBought, PoolKey, Released
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
from activities.contract.sweep import Providers
from api import names
from presets.plan.document import PlanReport
from tests.fakes.troubles import Trouble, in_trouble
from workflows.messages import Changed

LOOK_S: Final = 0.05


@dataclass(frozen=True)
class Stored:
    """The Workspace as the API server has it. A refused one cannot be planned."""

    uid: str
    machine: str = "Standard_NC24ads_A100_v4"
    generation: int = 1
    deleting: bool = False
    finalizer: bool = False
    refused: bool = False
    retry: str = ""

    @property
    def digest(self) -> str:
        return f"{self.uid}/{self.generation}"


@dataclass(frozen=True)
class Owned:
    """A pool or a workload: `what` is its machine type or its digest."""

    uid: str
    what: str
    broken: bool = False


@dataclass
class Truth:
    """What is there. `messages` are those of the watcher, oldest first; `wrong` what must never have happened."""

    name: str
    troubles: dict[str, list[Trouble]] = field(default_factory=dict)
    there: Stored | None = None
    pool: Owned | None = None
    workload: Owned | None = None
    kept: str = ""
    messages: list[Changed] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    status: dict[str, Any] = field(default_factory=dict)
    _born: int = 0
    _newest: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    _touched: Counter[str] = field(default_factory=Counter)

    # What people do.

    def create(self) -> None:
        """A Workspace, or a namesake of one that is gone. While one is there nothing happens: 409."""
        if self.there is None:
            self._born += 1
            self._change(Stored(uid=f"{self.name}-uid-{self._born}"))

    def edit(self, **changes: Any) -> None:
        """A newer generation, good unless told otherwise."""
        if self.there and not self.there.deleting:
            self._change(replace(self.there, generation=self.there.generation + 1, **({"refused": False} | changes)))

    def ask_again(self) -> None:
        """The retry annotation gets a new value."""
        if self.there and not self.there.deleting:
            self._change(replace(self.there, retry=f"{len(self.messages)}"))

    def delete(self) -> None:
        """Gone at once where no finalizer holds it."""
        if self.there and not self.there.deleting:
            self._change(replace(self.there, deleting=True, generation=self.there.generation + 1))
            self._remove_if_released()

    def tear_away(self) -> None:
        """Somebody removes the finalizer by hand from what is being deleted."""
        self.delete()
        if self.there:
            self.there = replace(self.there, finalizer=False)
            self._remove_if_released()

    def lose_a_node(self) -> None:
        """The nodes of the pool are gone, and what the watcher sees of it."""
        if self.pool:
            self.pool = replace(self.pool, broken=True)
            self.messages.append(Changed(uid=self.pool.uid, generation=0, resync=True))

    def _change(self, stored: Stored) -> None:
        self.there = stored
        message = Changed(uid=stored.uid, generation=stored.generation, deleting=stored.deleting, retry=stored.retry)
        self.messages.append(message)

    def _remove_if_released(self) -> None:
        if self.there and self.there.deleting and not self.there.finalizer:
            last = self.messages[-1].model_copy(update={"uid": self.there.uid, "deleting": True, "gone": True})
            self.messages.append(last)
            self.there = None

    # What activities do.

    async def carry_out(self, signature: Signature[Any, Any], argument: Any) -> Any:
        """The activity's body, with the next of its troubles."""
        waiting = self.troubles.get(signature.name)
        trouble = waiting.pop(0) if waiting else Trouble()
        async with self._alone_with(signature, argument):
            return await in_trouble(trouble, signature, lambda: getattr(self, f"_{signature.name}")(argument))

    @asynccontextmanager
    async def _alone_with(self, signature: Signature[Any, Any], argument: Any) -> AsyncIterator[None]:
        """Two activities that change the same thing never run at once. A status is that of a uid: a successor is told
        what it waits for while its predecessor's own status is still being written."""
        thing = signature.name.partition("_")[2] if signature.effects else ""
        if isinstance(argument, StatusPatch):
            thing = f"{thing} of {argument.workspace.uid}"
        if thing and self._touched[thing]:
            self.wrong.append(f"{signature.name} began while another one changed the {thing}")
        self._touched[thing] += 1
        try:
            yield
        finally:
            self._touched[thing] -= 1

    def _ours(self, key: WorkspaceKey) -> Stored | None:
        return self.there if self.there and self.there.uid == key.uid else None

    def _observed(self) -> Observed:
        there = self.there
        if there is None:
            return Observed(found=False)
        return Observed(found=True, uid=there.uid, generation=there.generation, deleting=there.deleting)

    def _never_back(self, what: str, key: WorkspaceKey, generation: int) -> None:
        if generation < self._newest[f"{what} {key.uid}"]:
            self.wrong.append(f"{what} of {key.uid} went back to generation {generation}")
        self._newest[f"{what} {key.uid}"] = generation

    def _read_workspace(self, key: WorkspaceKey) -> Observed:
        return self._observed()

    def _build_plan(self, request: PlanRequest) -> p.Planned:
        plan, found = self._plan(request), self._ours(request)
        option = p.Option(plan=plan, report=PlanReport(namespace=plan.key.namespace, name=plan.key.name))
        return p.Planned.of([option], protected=found is not None and found.finalizer)

    def _read_wanted(self, request: p.WantedRequest) -> p.Wanted:
        return p.Wanted(digest=self._plan(request).digest)

    def _plan(self, request: PlanRequest) -> Plan:
        key = WorkspaceKey(namespace=request.namespace, name=request.name, uid=request.uid)
        found = self._ours(key)
        if found is None or found.deleting:
            raise failure("WorkspaceGone", "gone")
        if found.refused:
            raise failure("InvalidSpec", f"generation {found.generation} cannot be read")
        return Plan(
            key=key,
            generation=found.generation,
            kind="preset",
            model="org/model",
            served_model_name="model",
            instance_type=found.machine,
            node_count=1,
            gpus_per_node=1,
            pool_name=names.pool_name(key.uid),
            os_disk_gib=100,
            digest=found.digest,
        )

    def _read_providers(self, key: WorkspaceKey) -> Providers:
        return Providers(names=["aks"])

    def _read_preflight(self, plan: Plan) -> Preflight:
        return Preflight(checks=[])

    def _read_workload_preflight(self, plan: Plan) -> Preflight:
        return Preflight(checks=[])

    def _wait_for_gpus_offered(self, plan: Plan) -> Check:
        return Check(name="GpusOffered", outcome="passed", message="by DaemonSet gpu-resources/plugin")

    def _read_model_revision(self, request: ModelRequest) -> PinnedModel:
        return PinnedModel(model=request.model, revision="0" * 40, weight_bytes=1)

    def _ensure_finalizer(self, key: WorkspaceKey) -> Observed:
        found = self._ours(key)
        if found is None or found.deleting:
            raise failure("WorkspaceGone", "gone")
        self.there = replace(found, finalizer=True)
        return self._observed()

    def _ensure_node_pool(self, plan: Plan) -> PoolBought:
        found, uid = self._ours(plan.key), plan.key.uid
        if found and not found.finalizer:
            self.wrong.append(f"a pool of {uid} was bought before the finalizer was there")
        if self.pool and (self.pool.uid, self.pool.what) != (uid, plan.instance_type):
            self.wrong.append(f"a second pool of {uid} was requested beside {self.pool}")
        self.pool = Owned(uid, plan.instance_type)
        return PoolBought(
            pool_name=plan.pool_name,
            instance_type=plan.instance_type,
            node_count=1,
            provisioning_state="Succeeded",
            accepted_at=datetime.now(UTC),
        )

    def _while_nodes_ready(self, held: NodesHeld | None) -> None:
        """The nodes of another's pool are none of ours."""
        if held and self.pool is not None and self.pool.uid == held.workspace.uid and self.pool.broken:
            raise failure("NodeLost", f"no longer ready: {held.names}", final=True, names=held.names)

    def _wait_for_nodes(self, plan: Plan) -> NodesReady:
        if self.pool is None or self.pool.broken:
            raise failure("NodeNotJoined", "0 of 1", final=True)
        return NodesReady(names=["node-1"])

    def _ensure_workload(self, request: WorkloadRequest) -> WorkloadApplied:
        plan = request.plan
        if self.workload and self.workload.uid != plan.key.uid:
            self.wrong.append(f"the workload of {self.workload.uid} is still there for {plan.key.uid}")
        if request.restore and plan.digest not in {self.kept, self.workload.what if self.workload else ""}:
            self.wrong.append(f"{plan.digest} was to be put back, but {self.kept} is kept")
        if not request.restore:
            self._never_back("the workload", plan.key, plan.generation)
        kept = self._keep(request.keep)
        self.workload = Owned(plan.key.uid, plan.digest)
        return WorkloadApplied(digest=plan.digest, made={"Deployment": plan.key.uid}, kept=kept)

    def _keep(self, digest: str) -> str:
        """What is there is kept, unless it is another one by now; what was kept already stays."""
        if digest and self.workload is not None and self.workload.what == digest:
            self.kept = digest
        return digest if digest == self.kept else ""

    def _wait_for_serving(self, request: ServingRequest) -> ServingReady:
        self._while_nodes_ready(request.nodes)
        if self.workload != Owned(request.workspace.uid, request.digest):
            self.wrong.append(f"{request.digest} was waited for, but {self.workload} exists")
        return ServingReady(pods=["pod-1"], nodes=["node-1"])

    def _read_completions(self, request: VerifyRequest) -> Completions:
        self._while_nodes_ready(request.nodes)
        return Completions(answered=len(request.pods), slowest_s=0.1)

    def _read_health(self, request: HealthRequest) -> Health:
        uid, owned = request.workspace.uid, self.workload
        serving = owned == Owned(uid, request.digest)
        nodes = self.pool is not None and self.pool.uid == uid and not self.pool.broken
        return Health(
            workload_found=owned is not None,
            digest=owned.what if owned else "",
            ready_pods=int(serving),
            ready_nodes=["node-1"] if nodes else [],
        )

    def _patch_status(self, patch: StatusPatch) -> Observed:
        if self._ours(patch.workspace) is None:
            return Observed(found=False)
        self._never_back("the status", patch.workspace, int(str(patch.status.get("observedGeneration", 0))))
        self.status = patch.status
        return self._observed()

    def _delete_workload(self, request: UndeployRequest) -> Undeployed:
        if set(request.made.values()) - {request.workspace.uid}:
            self.wrong.append(f"{request.made} was to be deleted for {request.workspace.uid}")
        if self.workload and self.workload.uid == request.workspace.uid:
            kept, self.workload = self._keep(request.keep), None
            return Undeployed(kept=kept)
        return Undeployed()

    def _delete_tuning(self, request: t.TuningKey) -> Undeployed:
        return Undeployed()

    def _delete_node_pool(self, key: PoolKey) -> Released:
        existed = self.pool is not None and self.pool.uid == key.workspace.uid
        if existed:
            self.pool = None
        return Released(pool_name=key.pool_name, gone_at=datetime.now(UTC), existed=existed)

    def _wait_for_own_nodes(self, request: PlanRequest) -> NodesReady:
        return NodesReady(names=["own-node"])

    def _wait_for_no_nodes(self, key: WorkspaceKey) -> NodesReady:
        return NodesReady(names=[])

    def _delete_finalizer(self, key: WorkspaceKey) -> Observed:
        held = [thing for thing in (self.pool, self.workload) if thing and thing.uid == key.uid]
        if held:
            self.wrong.append(f"the finalizer of {key.uid} was removed while {held} was held")
        found = self._ours(key)
        if found and not found.deleting:
            self.wrong.append(f"the finalizer of {key.uid} was removed without a delete")
        if found:
            self.there = replace(found, finalizer=False)
            self._remove_if_released()
        return Observed(found=False, uid=key.uid)
