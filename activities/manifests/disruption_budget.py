"""The disruption budget of a Workspace: a node drain evicts one of its replicas at a time.

Only for several replicas. With one replica a budget could only block the drain of its node. Nor may a budget block a
GPU node that is being released: `aks/provider.py` and `karpenter/node_claim.py` configure AKS and Karpenter for that.
"""

from typing import Final

from activities.clients.kubernetes import Cluster, Object
from api import names

BUDGET: Final = "PodDisruptionBudget"
GROUP: Final = "/apis/policy"
STABLE, BETA = "v1", "v1beta1"
"""Kubernetes serves policy/v1 since 1.21, and v1beta1 until 1.24."""


class DisruptionBudgets:
    """Finds the kind of budgets in one cluster. Queries for the older one each time, because an upgrade removes it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._version = BETA

    async def kind(self) -> str:
        """Returns the kind as `kubernetes_api.PATHS` names it. Raises ApiException."""
        if self._version == BETA:
            group = await self._cluster.request("GET", GROUP)
            served = {version["version"] for version in group["versions"]}
            self._version = STABLE if STABLE in served else BETA
        return BUDGET if self._version == STABLE else f"{BUDGET}/{BETA}"

    async def of(self, deployment: Object, workspace: str) -> list[tuple[str, Object]]:
        """Returns the (kind, object) to apply beside the Deployment, if any."""
        if deployment["spec"]["replicas"] < 2:
            return []
        kind = await self.kind()
        return [(kind, budget(deployment, workspace, self._version))]


def budget(deployment: Object, workspace: str, version: str) -> Object:
    """Allows one pod of the Deployment to be missing; owned and labelled as the Deployment is."""
    return {
        "apiVersion": f"policy/{version}",
        "kind": BUDGET,
        "metadata": deployment["metadata"] | {"name": names.disruption_budget(workspace)},
        "spec": {"maxUnavailable": 1, "selector": deployment["spec"]["selector"]},
    }
