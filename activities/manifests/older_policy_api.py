"""Disruption budgets where the API server has policy/v1beta1 only: a concession to a Kubernetes below the product's
minimum. The others, and why there are any, are in `deploy/local/cluster/older_kubernetes.py`.

A local stack that runs Debian's Kubernetes 1.20 cannot do it at its edge: nothing stands between a worker and the API
server. Without such stacks `DisruptionBudgets` becomes two lines.
"""

from typing import Final

from activities.clients.kubernetes import Cluster, Object
from activities.manifests.disruption_budget import BUDGET, VERSION, budget

GROUP: Final = "/apis/policy"
OLDER: Final = "v1beta1"
"""Served before 1.21 instead of v1, and beside it until 1.24."""


class DisruptionBudgets:
    """Finds the kind of budgets in one cluster. Queries for the older one each time, because an upgrade removes it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._version = OLDER

    async def kind(self) -> str:
        """Returns the kind as `api_server/paths.py` names it. Raises ApiException."""
        if self._version == OLDER:
            group = await self._cluster.request("GET", GROUP)
            served = {version["version"] for version in group["versions"]}
            self._version = VERSION if VERSION in served else OLDER
        return BUDGET if self._version == VERSION else f"{BUDGET}/{OLDER}"

    async def of(self, deployment: Object, workspace: str) -> list[tuple[str, Object]]:
        """Returns the (kind, object) to apply beside the Deployment, if any."""
        if deployment["spec"]["replicas"] < 2:
            return []
        kind = await self.kind()
        return [(kind, budget(deployment, workspace) | {"apiVersion": f"policy/{self._version}"})]
