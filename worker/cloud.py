"""What a worker of the queue `cloud` registers, with the clients of Azure. It has no kubeconfig.

Imported only by a process that polls this queue: the SDK is its largest part.
"""

from contextlib import AsyncExitStack
from typing import Final

from activities.clients import azure
from activities.clients.host_names import HostNames
from activities.contract import queues
from activities.errors.azure import azure_failure
from activities.nodes.aks.pool_options import PoolSettings
from activities.nodes.aks.provider import AgentPools
from activities.preflight.azure import PreflightChecks
from process.policy import PolicyFile, PolicySettings
from worker.registration import Registration

SIGN_IN: Final = "https://login.microsoftonline.com"
"""A name that exists, if any does outside of the cluster."""


async def cloud_queue(stack: AsyncExitStack) -> Registration:
    """Returns the registration of the queue `cloud`. Raises ValueError for an incomplete installation, CannotStart for
    a policy that cannot be read."""
    policy = PolicyFile(PolicySettings().policy)
    client = await azure.connect(azure.AzureSettings(), stack)
    pools = AgentPools(client, PoolSettings(), policy)
    checks = PreflightChecks(client, HostNames([client.settings.endpoint, SIGN_IN]))
    return Registration(
        queues.CLOUD,
        [pools.ensure_node_pool, pools.delete_node_pool, pools.read_owned_pools, checks.read_preflight],
        azure_failure,
    )
