"""What Azure's listings, a registry's statuses and a price say of a plan."""

from types import SimpleNamespace as Thing
from typing import Any

import pytest

from activities.contract.plan import Check, Plan
from activities.preflight.azure import offered, within_quota
from activities.preflight.verdicts import all_of, pull_verdict, within_price
from api.preflight import CheckName
from tests.builders import a_plan

A100 = "Standard_NC24ads_A100_v4"
FAMILY = "StandardNCADSA100v4Family"


def two_machines(**more: Any) -> Plan:
    facts: dict[str, Any] = {"node_count": 2, "vcpus_per_node": 24, "vcpu_family": FAMILY, "price_per_hour": 7.35}
    return a_plan(**facts | more)


def a_sku(zones: tuple[str, ...] = ("1", "2"), restricted: dict[str, tuple[str, ...]] | None = None) -> Any:
    restrictions = [
        Thing(type=kind, reason_code="NotAvailableForSubscription", restriction_info=Thing(zones=list(found)))
        for kind, found in (restricted or {}).items()
    ]
    return Thing(
        resource_type="virtualMachines", name=A100.upper(), location_info=[Thing(zones=list(zones))],
        restrictions=restrictions,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("zones", "sku", "says"),
    [
        pytest.param((), a_sku(), "", id="offered"),
        pytest.param(("2",), a_sku(), "", id="offered in the zone"),
        pytest.param(("3",), a_sku(), "zone 3 of eastus, which has it in: 1, 2", id="not in the zone"),
        pytest.param(("1",), a_sku(restricted={"Zone": ("1",)}), "which has it in: 2", id="restricted in the zone"),
        pytest.param((), a_sku(restricted={"Zone": ("1",)}), "", id="another zone will do"),
        pytest.param((), a_sku(restricted={"Location": ()}), "restricted in eastus", id="restricted in the region"),
        pytest.param((), Thing(resource_type="disks", name=A100), "is not offered in eastus", id="not listed"),
    ],
)
def test_a_size_is_offered_in_region_and_zone_or_the_message_lists_where(
    zones: tuple[str, ...], sku: Any, says: str
) -> None:
    check = offered(two_machines(zones=zones), "eastus", [sku])
    assert check.outcome == ("failed" if says else "passed")
    assert says in check.message


@pytest.mark.parametrize(
    ("usages", "spot", "says"),
    [
        pytest.param({FAMILY.lower(): (0, 48), "cores": (0, 100)}, False, "", id="just enough"),
        pytest.param({FAMILY.lower(): (1, 48), "cores": (0, 100)}, False, "need 48 vCPUs of Standard", id="family"),
        pytest.param({FAMILY.lower(): (0, 48), "cores": (60, 100)}, False, "48 vCPUs of cores, 40 of 100", id="region"),
        pytest.param({FAMILY.lower(): (48, 48), "lowprioritycores": (0, 48)}, True, "", id="spot has its own"),
        pytest.param({"lowprioritycores": (24, 48)}, True, "48 vCPUs of lowPriorityCores, 24 of 48", id="spot"),
        pytest.param({}, False, "", id="a family that Azure does not list"),
    ],
)
def test_quota_is_counted_for_the_family_the_region_or_spot(
    usages: dict[str, tuple[int, int]], spot: bool, says: str
) -> None:
    check = within_quota(two_machines(spot=spot), usages)
    assert check.outcome == ("failed" if says else "passed")
    assert says in check.message


@pytest.mark.parametrize(
    ("changes", "outcome", "says"),
    [
        pytest.param({}, "passed", "", id="no limit"),
        pytest.param({"max_price_per_hour": 7.35}, "passed", "", id="just within"),
        pytest.param({"max_price_per_hour": 7.0}, "failed", "cost $7.35 per hour, at most $7.00", id="above"),
        pytest.param({"max_price_per_hour": 7.0, "price_per_hour": None}, "unknown", "no list price", id="not known"),
        pytest.param({"max_price_per_hour": 1.0, "spot": True}, "passed", "above $1.00", id="spot is capped by Azure"),
    ],
)
def test_a_price_is_checked_for_all_nodes(changes: dict[str, Any], outcome: str, says: str) -> None:
    check = within_price(two_machines(**changes))
    assert (check.outcome, says in check.message) == (outcome, True)


@pytest.mark.parametrize(
    ("status", "with_account", "outcome"),
    [
        (200, False, "passed"), (404, False, "failed"), (401, True, "failed"), (403, True, "failed"),
        (401, False, "unknown"), (403, False, "unknown"), (307, False, "unknown"), (429, True, "unknown"),
        (500, True, "unknown"),
    ],
)  # fmt: skip
def test_only_a_refusal_by_the_registry_fails_the_check(status: int, with_account: bool, outcome: str) -> None:
    assert pull_verdict("r.example.com/a:1", status, with_account).outcome == outcome


def test_of_several_images_every_failure_is_reported() -> None:
    checks = [
        Check(name="ImagesPullable", outcome="passed"),
        Check(name="ImagesPullable", outcome="unknown", message="a"),
        Check(name="ImagesPullable", outcome="failed", reason="ImagePullError", message="b"),
        Check(name="ImagesPullable", outcome="failed", reason="ImagePullError", message="c"),
    ]
    assert all_of(CheckName.IMAGES_PULLABLE, checks).message == "b; c"
    assert all_of(CheckName.IMAGES_PULLABLE, checks[:2]).outcome == "unknown"
    assert all_of(CheckName.IMAGES_PULLABLE, checks[:1]).outcome == "passed"
