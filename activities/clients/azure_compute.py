"""What Azure's compute provider lists of a region, usages and machine sizes, in the form of the SDK's client for it.

Sent by the client for node pools, whose transport, credential and repeats it shares. The SDK's package for this
provider costs the worker 28 MiB, for two lists.
"""

from collections.abc import AsyncIterator, Awaitable
from typing import Any, Final, Protocol

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError, map_error
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.mgmt.core.exceptions import ARMErrorFormat
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

USAGES_VERSION: Final = "2026-04-01"
SIZES_VERSION: Final = "2021-07-01"
"""The newest version of the list, which is a service of its own."""
MOST_PAGES: Final = 100
_ERRORS: Final[dict[int, type[HttpResponseError]]] = {401: ClientAuthenticationError, 404: ResourceNotFoundError}


class _Listed(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="ignore")


class UsageName(_Listed):
    """The name of a quota, such as a family of sizes."""

    value: str = ""


class Usage(_Listed):
    """How much of a quota is used."""

    name: UsageName
    current_value: int
    limit: int


class Zones(_Listed):
    """Availability zones of one region."""

    zones: list[str] | None = None


class Restriction(_Listed):
    """Why a size is not for this subscription: in the whole location, or in zones of it."""

    type: str | None = None
    reason_code: str | None = None
    restriction_info: Zones | None = None


class Sku(_Listed):
    """One size, of machines or of something else. Its capabilities, nine tenths of the list, are not read."""

    resource_type: str | None = None
    name: str | None = None
    location_info: list[Zones] | None = None
    restrictions: list[Restriction] | None = Field(default_factory=list)


class Sender(Protocol):
    """The part of an SDK client that sends requests through its pipeline."""

    def send_request(self, request: HttpRequest) -> Awaitable[AsyncHttpResponse]:
        """Sends a request to the client's endpoint."""
        ...


class Usages:
    """The usages of a subscription."""

    def __init__(self, client: Sender, provider: str) -> None:
        self._client, self._provider = client, provider

    async def list(self, location: str) -> AsyncIterator[Usage]:
        """Yields every usage of a region. Raises AzureError."""
        path, query = f"{self._provider}/locations/{location}/usages", {"api-version": USAGES_VERSION}
        async for item in _pages(self._client, HttpRequest("GET", path, params=query)):
            yield Usage.model_validate(item)


class Skus:
    """The sizes that a subscription is offered."""

    def __init__(self, client: Sender, provider: str) -> None:
        self._client, self._provider = client, provider

    async def list(self, *, filter: str) -> AsyncIterator[Sku]:
        """Yields every size that the filter lets through. Raises AzureError."""
        query = {"api-version": SIZES_VERSION, "$filter": filter}
        async for item in _pages(self._client, HttpRequest("GET", f"{self._provider}/skus", params=query)):
            yield Sku.model_validate(item)


class Compute:
    """The lists of one subscription, sent by the client of another provider."""

    def __init__(self, client: Sender, subscription_id: str) -> None:
        provider = f"/subscriptions/{subscription_id}/providers/Microsoft.Compute"
        self.usage, self.resource_skus = Usages(client, provider), Skus(client, provider)


async def _pages(client: Sender, request: HttpRequest) -> AsyncIterator[dict[str, Any]]:
    """Yields the items of every page. Raises AzureError, also for a list that does not end within MOST_PAGES."""
    for _ in range(MOST_PAGES):
        response = await client.send_request(request)
        if response.status_code != 200:
            map_error(status_code=response.status_code, response=response, error_map=_ERRORS)
            raise HttpResponseError(response=response, error_format=ARMErrorFormat)
        page = response.json()
        for item in page.get("value") or []:
            yield item
        if not (following := page.get("nextLink")):
            return
        request = HttpRequest("GET", following)
    raise HttpResponseError(f"Azure's list has more than {MOST_PAGES} pages", response=response)
