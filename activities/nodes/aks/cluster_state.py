"""Whether the AKS cluster takes changes of its node pools now, by what ARM says of it. Pure.

ARM refuses them while the cluster is stopped, stops, starts or is upgraded, and some that it accepts then have left
clusters in state Failed. So nothing is sent. provider.py asks, and the workflow waits (`workflows/steps/cluster.py`).
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from azure.mgmt.containerservice.models import AgentPool, ManagedCluster
from temporalio.exceptions import ApplicationError

from activities.contract.failures import failure
from activities.nodes.aks.agent_pool_spec import properties_of

STOPPED: Final = "Stopped"
AT_WORK: Final[Mapping[str, tuple[str, str]]] = {
    "stopping": ("ClusterStopped", "is being stopped"),
    "starting": ("ClusterStopped", "is being started"),
    "upgrading": ("ClusterUpgrading", "is being upgraded"),
    "migrating": ("ClusterUpgrading", "is being migrated"),
    "deleting": ("ClusterStopped", "is being deleted"),
}
"""Provisioning states, in lower case. `Updating` is not among them: a cluster may say so while one of its pools is
changed, which keeps nobody from changing another; where it does, ARM answers 409."""
SHORTEST_PAUSE: Final = timedelta(seconds=10)
LONGEST_PAUSE: Final = timedelta(minutes=5)
"""Between two looks at a cluster that takes no changes. AKS starts one in about that time."""
PAUSE_SHARE: Final = 0.25
"""Looked at again after this share of the time that was waited already."""


def held_up(cluster: ManagedCluster) -> ApplicationError | None:
    """Returns the failure for a cluster that takes no changes now, None for one that does. It is final: the workflow
    says in the status what it waits for."""
    found = _reason(cluster)
    return failure(*found, final=True) if found else None


def still_held_up(cluster: ManagedCluster, waited: timedelta) -> ApplicationError | None:
    """The same for a call that waits, which is tried again after a pause that grows."""
    found = _reason(cluster)
    pause = min(max(waited * PAUSE_SHARE, SHORTEST_PAUSE), LONGEST_PAUSE)
    return failure(*found, retry_after=pause) if found else None


def _reason(cluster: ManagedCluster) -> tuple[str, str] | None:
    name, power = cluster.name or "", cluster.power_state.code if cluster.power_state else ""
    state = (cluster.provisioning_state or "").lower()
    if state in AT_WORK:
        reason, what = AT_WORK[state]
        return reason, f"The AKS cluster {name} {what}: its node pools are left alone until that has ended"
    if power == STOPPED:
        message = f"The AKS cluster {name} is stopped: nothing is bought or released until it is started"
        return "ClusterStopped", f"{message} (az aks start)"
    return None


def follows_a_stop(pool: AgentPool) -> bool:
    """Whether the pool says that its cluster may take no changes, so that the cluster is asked anew."""
    properties = properties_of(pool)
    power = properties.power_state.code if properties.power_state else ""
    return power == STOPPED or (properties.provisioning_state or "").lower() in AT_WORK
