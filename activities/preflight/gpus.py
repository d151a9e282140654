"""Checks before a purchase whether the cluster will offer the GPUs of nodes that are bought, and waits until it does.

Reads DaemonSets, and where none will do, the GPU operator's ClusterPolicies and what the nodes of Workspaces offer now.
What they mean is decided by `activities/nodes/gpus/`.
"""

from typing import Final

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.api_server.paths import path_of
from activities.clients.kubernetes import Object
from activities.clients.view.cluster_view import ClusterView
from activities.clients.view.watched import NODES
from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.plan import Check, Plan
from activities.contract.policies import OFFER_DEADLINE
from activities.deadline import deadline_after
from activities.heartbeat import heartbeating
from activities.nodes.gpus.offers import REASON, GpuOffering, verdict
from activities.nodes.gpus.plugins import DEVICE_PLUGINS
from activities.nodes.readiness import gpus_of, is_ready
from api import labels
from api.preflight import CheckName

LOOK_AGAIN_S: Final = 30.0
"""ClusterPolicies are not watched: few clusters have any."""
MAY_NOT_LOOK: Final = "DaemonSets and ClusterPolicies may not be listed"
FORBIDDEN: Final = 403
ABSENT: Final = 404


class GpuOffers:
    """One check, and the wait for what it lacks. `offering` is the installation's word."""

    def __init__(self, view: ClusterView, offering: GpuOffering) -> None:
        self._view, self._offering = view, offering

    async def check(self, plan: Plan) -> Check | None:
        """None for a plan whose nodes are there or have no GPUs. Without the right to look nothing is known, and
        nothing waited for. Raises what else the API server raises."""
        if plan.provider == "byo" or plan.gpus_per_node == 0:
            return None
        if why := self._offering.without_plugin(plan.provider):
            return Check(name=CheckName.GPUS_OFFERED, outcome="passed", message=why)
        try:
            found = await self._view.now(DEVICE_PLUGINS, selector="")
            return await self._verdict(plan, list(found.values()))
        except ApiException as error:
            if error.status != FORBIDDEN:
                raise
            message = f"{MAY_NOT_LOOK}: the cluster worker needs the rights of deploy/rbac (modelyard:cluster-worker)"
            return Check(name=CheckName.GPUS_OFFERED, outcome="unknown", message=message)

    @signatures.implements(signatures.WAIT_FOR_GPUS_OFFERED)
    async def wait_for_gpus_offered(self, plan: Plan) -> Check:
        """Returns the check that has passed. Raises GpusNotOffered with what is still missing after OFFER_DEADLINE."""
        check, until = await self.check(plan), deadline_after(OFFER_DEADLINE)
        if check is None or check.outcome == "passed":
            return check or Check(name=CheckName.GPUS_OFFERED, outcome="passed")
        async with heartbeating() as progress, self._view.observe(DEVICE_PLUGINS, selector="", until=until) as looks:
            looks.again_s = LOOK_AGAIN_S
            async for sight in looks:
                progress.note_met()
                check = await self._verdict(plan, list(sight.objects.values()))
                progress.report({"gpusOffered": check.message})
                if check.outcome == "passed":
                    return check
        raise failure(REASON, check.message, final=True)

    async def _verdict(self, plan: Plan, plugins: list[Object]) -> Check:
        check = verdict(plan, plugins, ())
        if check.outcome == "passed":
            return check
        if node := await self._offering_node(plan):
            message = f"node {node} offers its GPUs"
            return Check(name=CheckName.GPUS_OFFERED, outcome="passed", message=message)
        return verdict(plan, plugins, await self._policies())

    async def _offering_node(self, plan: Plan) -> str:
        """A node of some Workspace that offers GPUs now, "" without one. When a plugin has gone, none does."""
        nodes = await self._view.now(NODES, selector=labels.WORKSPACE_UID)
        offer = (name for name, node in sorted(nodes.items()) if is_ready(node) and gpus_of(node, plan.gpu_resource))
        return next((name for name in offer if not plan.spot or _is_spot(nodes[name])), "")

    async def _policies(self) -> list[Object]:
        try:
            found = await self._view.cluster.request("GET", path_of("ClusterPolicy"))
        except ApiException as error:
            if error.status != ABSENT:
                raise
            return []
        return found.get("items") or []


def _is_spot(node: Object) -> bool:
    return any(taint["key"] == labels.SPOT_TAINT_KEY for taint in (node.get("spec") or {}).get("taints") or ())
