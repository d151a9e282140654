"""What Azure says to everybody: the cluster with its node pools, the region's usages and sizes; each asked once for a
crowd.

An answer may be as old as written here. Whoever would refuse something by it asks again first (`preflight/azure.py`),
and the purchase itself is decided by ARM.
"""

from typing import Any, Final

from azure.mgmt.containerservice.aio import ContainerServiceClient
from azure.mgmt.containerservice.models import AgentPool, ManagedCluster

from activities.clients.azure_compute import Compute
from activities.clients.shared_answer import SharedAnswer

POOLS_KEPT_S: Final = 2.0
USAGES_KEPT_S: Final = 2.0
"""Long enough that hundreds of Workspaces that come together ask a few times, short enough that nobody is told of a
quota that was raised or used up before."""
SIZES_KEPT_S: Final = 3600.0
"""Azure's list of a region's machine sizes is several megabytes and changes rarely."""
HINT_KEPT_S: Final = 120.0
"""How long a list says which question to begin with. Being wrong costs one request."""
STATE_KEPT_S: Final = 10.0
"""How old the cluster's state may be when something is bought: what is sent to a cluster that was stopped since is
refused by ARM, and waited with then."""


class Listings:
    """Of one cluster and its region."""

    def __init__(
        self,
        pools: ContainerServiceClient,
        compute: Compute,
        *,
        cluster: tuple[str, str],
        location: str,
    ) -> None:
        async def read_cluster() -> ManagedCluster:
            return await pools.managed_clusters.get(*cluster)

        async def list_pools() -> list[AgentPool]:
            return pools_of(await self.cluster.get(self.cluster.now()))

        async def list_usages() -> dict[str, tuple[int, int]]:
            found = [usage async for usage in compute.usage.list(location)]
            return {(usage.name.value or "").lower(): (usage.current_value, usage.limit) for usage in found}

        async def list_sizes() -> list[Any]:
            listed = compute.resource_skus.list(filter=f"location eq '{location}'")
            return [sku async for sku in listed if sku.resource_type == "virtualMachines"]

        self.cluster = SharedAnswer(read_cluster, kept_s=POOLS_KEPT_S)
        self.pools = SharedAnswer(list_pools, kept_s=POOLS_KEPT_S)
        self.usages = SharedAnswer(list_usages, kept_s=USAGES_KEPT_S)
        """(used, limit) by lower-case name: Azure's two listings differ in the case of a family."""
        self.sizes = SharedAnswer(list_sizes, kept_s=SIZES_KEPT_S)

    def seemed_missing(self, pool: str) -> bool:
        """Whether a recent list of pools did not have this one."""
        listed = self.pools.known(within_s=HINT_KEPT_S)
        return listed is not None and all(one.name != pool for one in listed)

    async def recent_cluster(self) -> ManagedCluster:
        """The cluster as it was within STATE_KEPT_S: the checks before a purchase have asked, as a rule."""
        return self.cluster.known(within_s=STATE_KEPT_S) or await self.cluster.get()


def pools_of(cluster: ManagedCluster) -> list[AgentPool]:
    """The cluster's node pools, which ARM sends with it, in the form in which it sends one."""
    found = []
    for profile in cluster.agent_pool_profiles or []:
        pool = AgentPool(properties=profile)
        pool.name = profile.name
        found.append(pool)
    return found
