"""Applies, watches and deletes the workload of a Workspace. manifests/serving.py builds the objects, kept.py keeps what
served before an edit, removal.py deletes them, pods.py evaluates pods.

Never touches an object that it did not make: one of the same name is an OwnershipConflict, not ours to change or
delete.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from temporalio import activity

from activities.clients.kubernetes import Object
from activities.clients.ownership import ensure_ours, owned
from activities.clients.view.cluster_view import ClusterView
from activities.clients.view.watched import PODS
from activities.clients.watch import Collection
from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Plan
from activities.contract.serving import (
    Health,
    HealthRequest,
    ServingReady,
    ServingRequest,
    Undeployed,
    UndeployRequest,
    WorkloadApplied,
    WorkloadRequest,
)
from activities.deadline import deadline_after, time_allowed
from activities.heartbeat import heartbeating
from activities.manifests import adapters as adapter_manifests
from activities.manifests import serving
from activities.manifests.older_policy_api import DisruptionBudgets
from activities.nodes import readiness
from activities.nodes.lasting_pods import seconds_until_late
from activities.nodes.losses import while_nodes_ready
from activities.nodes.placement import place
from activities.nodes.provider import nodes_selector
from activities.planning.config_maps import read_config
from activities.serving import pods
from activities.serving.first_pods import WITHIN, look_for_pods
from activities.serving.kept import KeptWorkloads
from activities.serving.pod_owners import PodOwners, is_of_workload
from activities.serving.ready_pods import ReadyPods
from activities.serving.removal import delete_objects, without_version
from activities.serving.steadiness import seconds_until_steady
from activities.workspaces import read_existing
from api import labels, names
from api.configs.option_classes import RemoteCode, nowhere

UNDEPLOY_DEADLINE: Final = timedelta(minutes=10)
"""Longer than any grace period of ours; pods on a lost node are deleted with the node."""
FIRST_GENERATION: Final = 1
"""Of a Workspace that was never edited: it has no workload yet, as a rule."""


class Workloads:
    """Deployment, Service, ConfigMap and disruption budget of a Workspace. `first_pods`: how long an apply looks for
    them, not at all where no controller makes any."""

    def __init__(
        self,
        view: ClusterView,
        images: serving.Images,
        owners: PodOwners | None = None,
        remote_code: RemoteCode = nowhere,
        first_pods: timedelta = WITHIN,
    ) -> None:
        self._first_pods = first_pods
        self._remote_code = remote_code
        self._view = view
        self._cluster = view.cluster
        self._owners = owners or PodOwners(view.cluster)
        self._images = images
        self._budgets = DisruptionBudgets(view.cluster)
        self._kept = KeptWorkloads(view.cluster)

    @signatures.implements(signatures.ENSURE_WORKLOAD)
    async def ensure_workload(self, request: WorkloadRequest) -> WorkloadApplied:
        """Creates what is missing, applies what has another digest. Raises OwnershipConflict, ConfigNotFound,
        ConfigInvalid, WorkloadNotKept for what is to be restored, and what the namespace refuses to have made."""
        plan, made = request.plan, dict[str, str]()
        objects = await (self._restored(request) if request.restore else self._planned(request))
        objects += await self._budgets.of(dict(objects)["Deployment"], plan.key.name)
        kept, seen = await self._kept.keep(plan.key, request.keep, request.drop)
        for kind, body in objects:
            made[without_version(kind)] = await ensure_ours(
                self._cluster,
                kind,
                body,
                plan.key,
                good=lambda found: _digest(found) == plan.digest,
                new=plan.generation == FIRST_GENERATION and not request.restore,
                seen=seen.get(kind),
            )
        await look_for_pods(
            self._view,
            "Deployment",
            names.workload(plan.key.name),
            plan.key,
            selector=_selector(plan.key),
            count=plan.node_count,
            within=self._first_pods,
        )
        return WorkloadApplied(digest=plan.digest, made=made, kept=kept)

    async def _planned(self, request: WorkloadRequest) -> list[tuple[str, Object]]:
        """The objects of the plan, the Workspace and the ConfigMap as they are now."""
        plan = request.plan
        extra = await self._extra(plan) if plan.config_map else {}
        template = await self._template(plan) if plan.kind == "template" else None
        adapters = adapter_manifests.planned(plan, await self._workspace(plan)) if plan.adapters else []
        return serving.workload_objects(plan, request.pinned, extra, template, self._images, adapters)

    async def _restored(self, request: WorkloadRequest) -> list[tuple[str, Object]]:
        """The objects of the plan as they were kept; what a plan says wholly by itself needs nothing kept."""
        plan = request.plan
        found = await self._kept.read(plan.key, plan.digest)
        if found is None and plan.kind == "preset" and not (plan.config_map or plan.adapters):
            return await self._planned(request)
        if found is None:
            message = f"what served with digest {plan.digest} was not kept: its Deployment was gone, or is another one"
            raise failure("WorkloadNotKept", message)
        template = found.template if plan.kind == "template" else None
        return found.put_into(serving.workload_objects(plan, request.pinned, {}, template, self._images))

    async def _extra(self, plan: Plan) -> dict[str, Any]:
        return await read_config(self._cluster, plan.key.namespace, plan.config_map, self._remote_code)

    @signatures.implements(signatures.WAIT_FOR_SERVING)
    async def wait_for_serving(self, request: ServingRequest) -> ServingReady:
        """Returns when enough pods of the digest are ready. Raises the pods' own reason, ServingTimeout with it, or
        NodeLost."""
        key = request.workspace
        deadline = deadline_after((time_allowed(activity.info()) or timedelta(hours=1)) - timedelta(seconds=5))
        seen: Collection = {}
        waited = ReadyPods(self._cluster, request)
        async with (
            heartbeating() as progress,
            while_nodes_ready(self._view, request.nodes),
            self._view.observe(PODS, key.namespace, selector=_selector(key), until=deadline) as looks,
        ):
            async for sight in looks:
                seen = await self._owners.own(sight.objects, key, workload=request.deployment)
                progress.note_met()
                ready, steady_in_s = waited.ready(seen)
                progress.report({"ready": len(ready), "wanted": request.replicas})
                if len(ready) >= request.replicas and await sight.holds(ready):
                    return ServingReady(pods=ready, nodes=sorted({seen[name]["spec"]["nodeName"] for name in ready}))
                await waited.check(sight, looks, seen, ready)
                looks.again_s = min(looks.again_s, steady_in_s)
        raise await waited.too_late(seen)

    @signatures.implements(signatures.DELETE_WORKLOAD)
    async def delete_workload(self, request: UndeployRequest) -> Undeployed:
        """Returns when the objects and their pods are gone, or, if the nodes go next, when the grace of the pods is
        over. Raises CleanupBlocked that names what is left."""
        key = request.workspace
        counts = partial(is_of_workload, workload=names.workload(key.name))
        async with heartbeating() as progress:
            left: Collection = {}
            kept, _ = await self._kept.keep(key, request.keep, request.drop)
            await delete_objects(self._cluster, self._budgets, key, request.made)
            until = datetime.now(UTC) + UNDEPLOY_DEADLINE
            async with self._view.observe(PODS, key.namespace, selector=_selector(key), until=until) as looks:
                async for sight in looks:
                    left = {name: pod for name, pod in sight.objects.items() if counts(pod)}
                    progress.note_met()
                    progress.report({"left": len(left)})
                    if not left and await sight.nothing_left(strictly=not request.nodes_go, counts=counts):
                        return Undeployed(kept=kept)
                    if request.nodes_go:
                        looks.again_s = seconds_until_late(left, datetime.now(UTC))
                        if looks.again_s <= 0:
                            return Undeployed(left=sorted(left), kept=kept)
        raise failure(
            "CleanupBlocked", f"pods of {key.namespace}/{key.name} are still there: {', '.join(sorted(left))}"
        )

    @signatures.implements(signatures.READ_HEALTH)
    async def read_health(self, request: HealthRequest) -> Health:
        """Reads the current state once, without waiting."""
        key = request.workspace
        deployment, (found_pods, _), (nodes, _) = await asyncio.gather(
            self._cluster.get("Deployment", names.workload(key.name), key.namespace),
            self._cluster.list_all("Pod", key.namespace, selector=_selector(key)),
            self._cluster.list_all("Node", selector=nodes_selector(key.uid, request.provider)),
        )
        await place(self._cluster, nodes, key.uid, request.provider)
        by_name = {node["metadata"]["name"]: node for node in nodes}
        ready = {pod["metadata"]["name"]: pod for pod in found_pods if _serves(pod, request)}
        uid = deployment["metadata"]["uid"] if deployment and owned(deployment, key) else ""
        return Health(
            workload_found=deployment is not None,
            digest=_digest(deployment) if deployment else "",
            ready_pods=len(await self._owners.own(ready, key, workload=uid)),
            ready_nodes=_nodes_not_lost(by_name, request),
        )

    async def _template(self, plan: Plan) -> Object:
        template: Object = ((await self._workspace(plan)).get("inference") or {}).get("template") or {}
        return template

    async def _workspace(self, plan: Plan) -> Object:
        """Reads the Workspace where it is needed: the user's text stays out of histories."""
        return await read_existing(self._cluster, plan.key)


def _nodes_not_lost(nodes: Collection, request: HealthRequest) -> list[str]:
    """Whatever makes a node unfit for longer also makes its pods unready, and the pass that this starts decides by its
    watch of the nodes. A moment without a kubelet, or without the device plugin, is no loss."""
    if not request.unready:
        return readiness.ready_names(nodes, request.gpus_per_node, request.gpu_resource)
    return readiness.names_not_lost(nodes, timedelta(seconds=request.unready), datetime.now(UTC))


def _selector(key: WorkspaceKey) -> str:
    return f"{labels.WORKSPACE_UID}={key.uid}"


def _digest(found: Object) -> str:
    return str((found["metadata"].get("annotations") or {}).get(labels.CONFIG_HASH, ""))


def _serves(pod: Object, request: HealthRequest) -> bool:
    unsteady = request.steady and seconds_until_steady(pod, datetime.now(UTC)) > 0
    return pods.is_ready(pod, request.digest) and not unsteady
