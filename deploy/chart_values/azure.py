"""Values about Azure: the cluster whose node pools are bought, who buys them, and what all pools have."""

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from activities.clients.azure import AzureSettings
from activities.nodes.aks.pool_options import PoolOptions
from deploy.chart_values.group import Group


class Pools(PoolOptions):
    """The worker's own settings, under the names that Helm's users expect."""

    model_config = ConfigDict(alias_generator=to_camel)


class Azure(Group):
    """Required with provider aks, or with a cloud worker."""

    subscription_id: str = Field(default="", pattern=r"^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})?$")
    """Subscription of the AKS cluster."""
    resource_group: str = Field(default="", pattern=r"^[-\w._()]*$")
    """Its resource group."""
    cluster: str = Field(default="", pattern=r"^([a-zA-Z0-9]([-_a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)?$")
    """Its name."""
    location: str = Field(default="", pattern=r"^[a-z0-9]*$")
    """Its region, such as `eastus`; also chooses the prices that plans have."""
    client_id: str = Field(default="", pattern=r"^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})?$")
    """Client ID of the managed identity with the roles of deploy/azure. Its federated credential names the
    ServiceAccount `modelyard-worker-cloud`."""
    endpoint: str = Field(default=AzureSettings.model_fields["endpoint"].default, pattern=r"^https://[^/ ]+/?$")
    """Azure Resource Manager, for sovereign clouds."""
    pools_per_cluster: int = Field(default=AzureSettings.model_fields["pools_per_cluster"].default, gt=0)
    """The cluster's limit of node pools."""
    pools: Pools = Pools()
    """What every node pool has that Modelyard buys."""
