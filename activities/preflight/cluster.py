"""Checks in the cluster, before anything is claimed or reserved, whether a plan can be carried out. For providers other
than Azure, which azure.py checks.

The quota and capacity of clouds that others manage cannot be checked here: they are reported as `unknown`, not as
passed.
"""

import asyncio

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.api_server.paths import path_of
from activities.clients.view.cluster_view import ClusterView
from activities.clients.view.watched import OWN_NODES
from activities.contract import signatures
from activities.contract.plan import Check, Plan, Preflight
from activities.nodes.byo.gpu_accounting import pick, shortage, uses_of
from activities.nodes.byo.provider import selector_of
from activities.nodes.byo.watch import GPU_PODS, gpu_pods
from api import labels
from api.preflight import CheckName

NOT_CHECKED = "gpu-provisioner or Karpenter checks quota and capacity when it creates the nodes"


class ClusterChecks:
    """NodeClaims served by the cluster; GPUs free on existing nodes."""

    def __init__(self, view: ClusterView) -> None:
        self._view = view

    @signatures.implements(signatures.READ_CLUSTER_PREFLIGHT)
    async def read_cluster_preflight(self, plan: Plan) -> Preflight:
        """Returns failed checks as results; the workflow decides by them."""
        if plan.provider == "byo":
            return Preflight(checks=[await self._free_gpus(plan)])
        quota = Check(name=CheckName.VCPU_QUOTA, outcome="unknown", message=NOT_CHECKED)
        return Preflight(checks=[await self._claims_are_known(), quota])

    async def _claims_are_known(self) -> Check:
        try:
            await self._view.cluster.request("GET", path_of("NodeClaim"), query={"limit": "1"})
        except ApiException as error:
            if error.status != 404:
                raise
            message = (
                "the cluster has no NodeClaims (karpenter.sh/v1). Install gpu-provisioner or Karpenter, or make the "
                f"Workspace with the annotation {labels.NODE_PROVIDER}: aks or byo"
            )
            return Check(name=CheckName.NODE_CLAIMS, outcome="failed", reason="NodeClaimsMissing", message=message)
        return Check(name=CheckName.NODE_CLAIMS, outcome="passed")

    async def _free_gpus(self, plan: Plan) -> Check:
        """Too few do not fail the check: the workflow waits for them, and they may be released in time."""
        nodes, pods = await asyncio.gather(
            self._view.now(OWN_NODES, selector=selector_of(plan)), self._view.now(GPU_PODS, selector="")
        )
        uses = uses_of(nodes, gpu_pods(pods), plan.gpu_resource)
        uid, gpus, count = plan.key.uid, plan.gpus_per_node, plan.node_count
        if len(pick(uses, uid, gpus=gpus, count=count)) >= count:
            return Check(name=CheckName.FREE_GPUS, outcome="passed")
        own = labels.without_reserved(plan.node_labels)
        lacks = shortage(uses, uid, gpus=gpus, count=count, match_labels=own, resource=plan.gpu_resource)
        return Check(name=CheckName.FREE_GPUS, outcome="unknown", message=f"{lacks}. The Workspace waits for free GPUs")
