"""How pods reach registries: which are used without TLS, and the workload identity that replaces a Secret.

Part of the configurations of the pods that fetch data and publish adapters. Contains no secrets, only the paths of
mounted files.
"""

from pydantic import BaseModel, ConfigDict, Field


class AzureIdentity(BaseModel):
    """A workload identity, as AKS's webhook mounts it. Its token is shown to Azure's own registries only."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tenant_id: str
    client_id: str
    token_file: str = Field(
        "/var/run/secrets/azure/tokens/azure-identity-token", description="The service account's projected token."
    )
    authority: str = Field("https://login.microsoftonline.com", description="Where the token is turned into Entra's.")
    scope: str = Field("https://containerregistry.azure.net/.default", description="Requested for Entra's token.")
    registry_suffixes: tuple[str, ...] = Field(
        (".azurecr.io", ".azurecr.cn", ".azurecr.us"), description="Hosts that may receive Entra's token."
    )

    def is_for(self, host: str) -> bool:
        """Whether this registry, with or without its port, may receive Entra's token."""
        return host.partition(":")[0].lower().endswith(self.registry_suffixes)


class RegistryAccess(BaseModel):
    """Credentials and connection settings for registries."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    docker_configs: dict[str, str] = Field(
        default_factory=dict,
        description="By Secret name, the file with its docker config (.dockerconfigjson); tried in this order.",
    )
    plain_http: tuple[str, ...] = Field((), description="host:port of registries that are reached without TLS.")
    allowed_hosts: tuple[str, ...] = Field((), description="Hosts inside that a registry may lead to, as for tokens.")
    azure: AzureIdentity | None = Field(None, description="Used where no Secret has a credential for the registry.")
