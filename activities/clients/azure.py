"""The Azure SDK's clients, as production and the local stack both use them: only endpoint, CA and credential differ.

Credentials come from azure-identity, or from a file that holds a token (the local stack's, re-read on every use so that
it can be rotated). How requests are sent is in `azure_transport.py`; what is bought is decided elsewhere.
"""

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AioHttpTransport
from azure.mgmt.containerservice.aio import ContainerServiceClient
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from activities.clients.azure_compute import Compute
from activities.clients.azure_listings import Listings
from activities.clients.azure_transport import open_transport, pipeline_options


class AzureSettings(BaseSettings):
    """The AKS cluster whose node pools are bought. The endpoint and CA are for sovereign clouds and the local stack."""

    model_config = SettingsConfigDict(env_prefix="MODELYARD_AZURE_", frozen=True, extra="ignore")

    subscription_id: str = ""
    resource_group: str = ""
    cluster: str = ""
    location: str = ""
    endpoint: str = "https://management.azure.com"
    ca_file: Path | None = None
    credential: str = "default"
    """`default` (azure-identity's chain: workload identity, managed identity, CLI) or `token-file:PATH`."""
    pools_per_cluster: int = Field(default=100, gt=0)
    """AKS' limit (Microsoft, "Quotas, virtual machine size restrictions, and region availability in AKS"), which
    Microsoft may have raised for a cluster."""
    polling_interval: float = Field(default=5.0, gt=0)
    """Seconds between two looks at a long-running operation, at least, if ARM sends no Retry-After."""


TOKEN_FILE_PREFIX: Final = "token-file:"


class FileCredential:
    """A bearer token from a file. Implements azure.core's AsyncTokenCredential."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Returns the token that the file holds now. Raises OSError if the file cannot be read."""
        return AccessToken(self._path.read_text().strip(), int(time.time()) + 600)

    async def close(self) -> None:
        """Nothing to close."""

    async def __aenter__(self) -> "FileCredential":
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()


@dataclass(frozen=True)
class Azure:
    """The clients, the names of the one cluster they are used for, and what is listed for everybody."""

    pools: ContainerServiceClient
    compute: Compute
    settings: AzureSettings

    @cached_property
    def listings(self) -> Listings:
        """One for all who use these clients."""
        settings = self.settings
        cluster = (settings.resource_group, settings.cluster)
        return Listings(self.pools, self.compute, cluster=cluster, location=settings.location)


async def connect(settings: AzureSettings, stack: AsyncExitStack) -> Azure:
    """Returns clients that `stack` closes. Raises ValueError for an incomplete installation."""
    for name in ("subscription_id", "resource_group", "cluster", "location"):
        if not getattr(settings, name):
            raise ValueError(f"MODELYARD_AZURE_{name.upper()} is not set: the aks provider needs it")
    transport = await open_transport(settings.ca_file, stack)
    credential = await stack.enter_async_context(_credential(settings, transport))
    options: dict[str, Any] = {
        "base_url": settings.endpoint,
        "credential_scopes": ["https://management.azure.com/.default"],
        "polling_interval": settings.polling_interval,
    } | pipeline_options(transport)
    pools = await stack.enter_async_context(ContainerServiceClient(credential, settings.subscription_id, **options))
    return Azure(pools, Compute(pools, settings.subscription_id), settings)


def _credential(settings: AzureSettings, transport: AioHttpTransport) -> Any:
    if settings.credential.startswith(TOKEN_FILE_PREFIX):
        return FileCredential(Path(settings.credential.removeprefix(TOKEN_FILE_PREFIX)))
    if settings.credential == "default":
        # Imported where it is used: 14 MiB with the cryptography of every way to identify oneself.
        from azure.identity.aio import DefaultAzureCredential

        # A CA of the endpoint's own has not signed the authority that hands out tokens.
        return DefaultAzureCredential(**({} if settings.ca_file else {"transport": transport}))
    raise ValueError(f"MODELYARD_AZURE_CREDENTIAL is {settings.credential!r}: use `default` or `token-file:PATH`")
