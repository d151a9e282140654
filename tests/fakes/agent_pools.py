"""The agent pools of an AKS cluster in memory, and the cluster itself, behind what is used of Azure's SDK.

Pools are the SDK's own models. What ARM refuses, how long it takes and what its errors look like is the ARM emulator's.
"""

from collections import deque
from types import SimpleNamespace
from typing import Any, NamedTuple

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.mgmt.containerservice.models import AgentPool, ManagedCluster

from activities.clients.azure import Azure, AzureSettings
from activities.nodes.aks.agent_pool_spec import properties_of
from activities.nodes.aks.operations import SeldomPolling


class Sent(NamedTuple):
    """A PUT or DELETE, with the options that are worth judging."""

    verb: str
    name: str
    options: dict[str, Any]


class Poller:
    """An operation that has ended."""

    def __init__(self, token: str) -> None:
        self._token = token

    def continuation_token(self) -> str:
        return self._token

    async def wait(self) -> None:
        return None


class FakeAgentPools:
    """`sent` has what was asked of ARM. `looks` are what the next reads of a pool show, None for a pool that is not
    there; after them a read shows what the operations have made. `read` and `listed` have what was looked at; `power`
    and `state` are the cluster's."""

    def __init__(self, *pools: AgentPool) -> None:
        self.read: list[str] = []
        self.listed = 0
        self.power, self.state = "Running", "Succeeded"
        self.busy = False
        self.pools = {str(pool.name): pool for pool in pools}
        self.looks: deque[AgentPool | None] = deque()
        self.sent: list[Sent] = []

    @property
    def azure(self) -> Azure:
        clients: Any = _Client(self)
        settings = AzureSettings(resource_group="group", cluster="cluster", polling_interval=0.01)
        return Azure(clients, clients, settings)

    async def get(self, group: str, cluster: str, name: str) -> AgentPool:
        self.read.append(name)
        found = self.looks.popleft() if self.looks else self.pools.get(name)
        if found is None:
            raise ResourceNotFoundError(f"no agent pool {name}")
        return found

    async def cluster(self, group: str, cluster: str) -> ManagedCluster:
        self.listed += 1
        profiles = [{"name": pool.name, **pool.as_dict().get("properties", {})} for pool in self.pools.values()]
        state = {"powerState": {"code": self.power}, "provisioningState": self.state}
        return ManagedCluster({"name": cluster, "properties": {**state, "agentPoolProfiles": profiles}})

    async def begin_create_or_update(
        self, group: str, cluster: str, name: str, pool: AgentPool, *, polling: SeldomPolling, **options: Any
    ) -> Poller:
        missing = options.get("match_condition") is MatchConditions.IfMissing
        if self.busy or (missing and name in self.pools):
            raise ResourceExistsError("the cluster is busy" if self.busy else f"agent pool {name} exists")
        self.sent.append(Sent("PUT", name, options))
        pool.name = name
        properties_of(pool).provisioning_state = "Succeeded"
        self.pools[name] = pool
        return Poller("token")

    async def begin_delete(
        self, group: str, cluster: str, name: str, *, polling: SeldomPolling, **options: Any
    ) -> Poller:
        self.sent.append(Sent("DELETE", name, options))
        self.pools.pop(name, None)
        return Poller("token")


class _Client:
    def __init__(self, agent_pools: FakeAgentPools) -> None:
        self.agent_pools = agent_pools
        self.managed_clusters = SimpleNamespace(get=agent_pools.cluster)
