"""Which way to get the nodes comes next, whatever has happened before."""

from typing import Any

import pytest

from activities.contracts import Check, Plan, WorkspaceKey
from activities.plan_contracts import Option, Wanted
from presets.plan_document import PlanDocument
from workflows.fallbacks import EVICTIONS_MAX, exhausted, in_order, moves_on, option_of, same_purchase
from workflows.state import Tried


def a_plan(machine: str, **more: Any) -> Plan:
    return Plan(
        key=WorkspaceKey(namespace="n", name="w", uid="u"), generation=1, kind="preset", instance_type=machine,
        node_count=1, gpus_per_node=1, pool_name="ws", os_disk_gib=100, **more,
    )  # fmt: skip


SPOT, ZONE, OTHER = a_plan("A", spot=True), a_plan("A", zones=("2",)), a_plan("B")


def an_option(plan: Plan, refused: Check | None = None) -> Option:
    return Option(plan=plan, report=PlanDocument(namespace="n", name="w"), refused=refused)


@pytest.mark.parametrize(
    ("held", "evictions", "expected"),
    [
        pytest.param(None, {}, [SPOT, ZONE, OTHER], id="the user's order"),
        pytest.param(OTHER, {}, [OTHER, SPOT, ZONE], id="what is there comes first"),
        pytest.param(a_plan("C"), {}, [SPOT, ZONE, OTHER], id="what is there is not listed any more"),
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
    assert not any(same_purchase(SPOT, other) for other in (ZONE, OTHER, a_plan("A")))
    assert not same_purchase(SPOT, SPOT.model_copy(update={"spot_max_price": 1.5})), "Azure never changes it"


def test_what_is_wanted_is_looked_up_for_the_nodes_that_are_there() -> None:
    planned = [an_option(plan.model_copy(update={"digest": f"for {option_of(plan)}"})) for plan in (SPOT, ZONE, OTHER)]
    assert Wanted.of(planned, OTHER.terms).digest == "for B"
    assert Wanted.of(planned, a_plan("C").terms).digest == "for A as spot"


def test_only_reasons_about_the_machine_lead_to_another_one() -> None:
    assert moves_on(an_option(OTHER), "QuotaExceeded") and not moves_on(an_option(OTHER), "ModelGated")
    refused = Check(name="Size", outcome="failed", reason="ConfigInvalid")
    assert moves_on(an_option(OTHER, refused), "ConfigInvalid")


def test_the_last_word_has_the_reason_of_what_was_wanted_most() -> None:
    tried = [
        Tried(option=option_of(SPOT), reason="QuotaExceeded", message="none left"),
        Tried(option=option_of(ZONE), reason="AllocationFailed", message="full"),
    ]
    error = exhausted(tried)
    assert error.type == "QuotaExceeded"
    assert str(error.message) == (
        "none of 2 ways to get the nodes works. A as spot: none left [QuotaExceeded]; "
        "A in zone 2: full [AllocationFailed]"
    )
