"""Which way to get the nodes comes next, whatever has happened before."""

from typing import Any

import pytest

from activities.contract.plan import Check, Option, Plan, Wanted
from presets.plan.document import PlanReport
from tests.builders import a_plan
from workflows.state import FailedFallback
from workflows.steps.fallbacks import EVICTIONS_MAX, all_failed, allows_fallback, in_order, option_of, same_purchase


def on(machine: str, **more: Any) -> Plan:
    return a_plan(instance_type=machine, **more)


SPOT, ZONE, OTHER = on("A", spot=True), on("A", zones=("2",)), on("B")


def an_option(plan: Plan, refused: Check | None = None) -> Option:
    return Option(plan=plan, report=PlanReport(namespace="n", name="w"), refused=refused)


@pytest.mark.parametrize(
    ("held", "evictions", "expected"),
    [
        pytest.param(None, {}, [SPOT, ZONE, OTHER], id="the user's order"),
        pytest.param(OTHER, {}, [OTHER, SPOT, ZONE], id="what is there comes first"),
        pytest.param(on("C"), {}, [SPOT, ZONE, OTHER], id="what is there is not listed any more"),
        pytest.param(SPOT, {"A as spot": EVICTIONS_MAX}, [SPOT, ZONE, OTHER], id="bought again"),
        pytest.param(SPOT, {"A as spot": EVICTIONS_MAX + 1}, [ZONE, OTHER, SPOT], id="taken back too often"),
        pytest.param(SPOT, {"A as spot": 9, "B": 9, "A in zone 2": 9}, [SPOT, ZONE, OTHER], id="all too often"),
    ],
)
def test_options_come_in_order(held: Plan | None, evictions: dict[str, int], expected: list[Plan]) -> None:
    planned = [an_option(plan) for plan in (SPOT, ZONE, OTHER)]
    assert [option.plan for option in in_order(planned, held, evictions)] == expected


def test_a_pool_serves_only_the_option_that_it_was_bought_for() -> None:
    assert same_purchase(SPOT, SPOT.model_copy(update={"digest": "other"}))
    assert not any(same_purchase(SPOT, other) for other in (ZONE, OTHER, on("A")))
    assert not same_purchase(SPOT, SPOT.model_copy(update={"spot_max_price": 1.5})), "Azure never changes it"


def test_the_wanted_digest_is_that_of_the_held_nodes() -> None:
    planned = [an_option(plan.model_copy(update={"digest": f"for {option_of(plan)}"})) for plan in (SPOT, ZONE, OTHER)]
    assert Wanted.of(planned, OTHER.terms).digest == "for B"
    assert Wanted.of(planned, on("C").terms).digest == "for A as spot"


def test_only_reasons_about_the_machine_allow_a_fallback() -> None:
    assert allows_fallback(an_option(OTHER), "QuotaExceeded") and not allows_fallback(an_option(OTHER), "ModelGated")
    refused = Check(name="Size", outcome="failed", reason="ConfigInvalid")
    assert allows_fallback(an_option(OTHER, refused), "ConfigInvalid")


def test_the_failure_has_the_reason_of_the_first_choice() -> None:
    tried = [
        FailedFallback(option=option_of(SPOT), reason="QuotaExceeded", message="none left"),
        FailedFallback(option=option_of(ZONE), reason="AllocationFailed", message="full"),
    ]
    error = all_failed(tried)
    assert error.type == "QuotaExceeded"
    assert str(error.message) == (
        "none of 2 purchase options worked. A as spot: none left [QuotaExceeded]; A in zone 2: full [AllocationFailed]"
    )
