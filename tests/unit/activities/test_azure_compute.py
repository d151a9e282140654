"""What Azure's compute provider lists: read page by page, as the provider documents it."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.core.rest import HttpRequest

from activities.clients.azure_compute import MOST_PAGES, Compute
from activities.errors.azure import from_azure

SUBSCRIPTION = "0000"
PROVIDER = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute"
CORES = {"unit": "Count", "currentValue": 4, "limit": 50, "name": {"value": "cores", "localizedValue": "Regional"}}
A100 = {
    "resourceType": "virtualMachines",
    "name": "Standard_NC24ads_A100_v4",
    "locationInfo": [{"location": "eastus", "zones": ["1", "2"], "zoneDetails": []}],
    "capabilities": [{"name": "vCPUs", "value": "24"}],
    "restrictions": [
        {
            "type": "Zone",
            "values": ["eastus"],
            "restrictionInfo": {"locations": ["eastus"], "zones": ["2"]},
            "reasonCode": "NotAvailableForSubscription",
        }
    ],
}
DISK = {"resourceType": "disks", "name": "Premium_LRS"}


@dataclass
class Answer:
    """A response of ARM, as far as it is read."""

    document: dict[str, Any]
    status_code: int = 200
    reason: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        return self.document

    def text(self) -> str:
        return json.dumps(self.document)


class Arm:
    """Answers one after the other, the last again and again."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []
        self.compute = Compute(self, SUBSCRIPTION)

    async def send_request(self, request: HttpRequest) -> Any:
        self.asked.append(request.url)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


async def test_usages_are_read_by_name() -> None:
    arm = Arm(Answer({"value": [CORES]}))
    (found,) = [usage async for usage in arm.compute.usage.list("eastus")]
    assert (found.name.value, found.current_value, found.limit) == ("cores", 4, 50)
    assert urlsplit(arm.asked[0]).path == f"{PROVIDER}/locations/eastus/usages"
    assert "api-version" in parse_qs(urlsplit(arm.asked[0]).query)


async def test_sizes_are_read_over_all_pages() -> None:
    arm = Arm(Answer({"value": [A100], "nextLink": "https://arm.example/next?x=1"}), Answer({"value": [DISK]}))
    first, second = [sku async for sku in arm.compute.resource_skus.list(filter="location eq 'eastus'")]
    assert (first.resource_type, first.name) == ("virtualMachines", "Standard_NC24ads_A100_v4")
    assert [info.zones for info in first.location_info or []] == [["1", "2"]]
    (restriction,) = first.restrictions or []
    assert restriction.restriction_info is not None
    assert (restriction.type, restriction.restriction_info.zones) == ("Zone", ["2"])
    assert (second.resource_type, second.restrictions) == ("disks", [])
    assert parse_qs(urlsplit(arm.asked[0]).query)["$filter"] == ["location eq 'eastus'"]
    assert arm.asked[1] == "https://arm.example/next?x=1"


async def test_a_refusal_is_the_error_that_the_sdk_raises() -> None:
    document = {"error": {"code": "AuthorizationFailed", "message": "no right to list usages"}}
    with pytest.raises(HttpResponseError) as refused:
        [usage async for usage in Arm(Answer(document, 403)).compute.usage.list("eastus")]
    failure = from_azure(refused.value)
    assert failure.type == "CloudForbidden" and "no right to list usages" in failure.message
    with pytest.raises(ClientAuthenticationError):
        [usage async for usage in Arm(Answer(document, 401)).compute.usage.list("eastus")]


async def test_a_list_without_end_is_given_up() -> None:
    arm = Arm(Answer({"value": [], "nextLink": "https://arm.example/next"}))
    with pytest.raises(HttpResponseError, match="pages"):
        [usage async for usage in arm.compute.usage.list("eastus")]
    assert len(arm.asked) == MOST_PAGES
