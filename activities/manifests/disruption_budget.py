"""The disruption budget of a Workspace: whoever empties nodes takes one of its replicas at a time.

Only where there are several. With one replica a budget could do nothing but hold a node that should go, and a GPU node
that is being given back is held by none at all: `aks/provider.py` and `karpenter/node_claim.py` say so to AKS and
Karpenter.
"""

from typing import Final

from activities.clients.kubernetes import Cluster, Object
from api import names

GROUP: Final = "/apis/policy"
STABLE, BETA = "v1", "v1beta1"
"""Kubernetes has the stable one since 1.21, and the other one until 1.24."""


class DisruptionBudgets:
    """The budgets' kind in one cluster. The older one is asked for anew each time: an upgrade takes it away."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._version = BETA

    async def kind(self) -> str:
        """As `kubernetes_api.PATHS` calls it. Raises ApiException."""
        if self._version == BETA:
            group = await self._cluster.request("GET", GROUP)
            served = {version["version"] for version in group["versions"]}
            self._version = STABLE if STABLE in served else BETA
        return "PodDisruptionBudget" if self._version == STABLE else "PodDisruptionBudget/v1beta1"

    async def of(self, deployment: Object, workspace: str) -> list[tuple[str, Object]]:
        """(kind, object) to apply beside the Deployment: one, or none."""
        if deployment["spec"]["replicas"] < 2:
            return []
        kind = await self.kind()
        return [(kind, budget(deployment, workspace, self._version))]


def budget(deployment: Object, workspace: str, version: str) -> Object:
    """One pod of the Deployment may be missing; owned and labelled as the Deployment is."""
    return {
        "apiVersion": f"policy/{version}",
        "kind": "PodDisruptionBudget",
        "metadata": deployment["metadata"] | {"name": names.disruption_budget(workspace)},
        "spec": {"maxUnavailable": 1, "selector": deployment["spec"]["selector"]},
    }
