"""What a Workspace has cost: from the cloud's yes to its NotFound, whatever happened between."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.resource.cost import cost_at
from workflows.ledger import Ledger, Purchase

START = datetime(2026, 1, 1, tzinfo=UTC)


def a_purchase(**changes: object) -> Purchase:
    fields = {
        "pool": "ws1",
        "instance_type": "Standard_NC24ads_A100_v4",
        "nodes": 2,
        "price_per_hour": 7.2,
        "since": START,
    }
    return Purchase.model_validate(fields | changes)


def after(**duration: float) -> datetime:
    return START + timedelta(**duration)


def test_nothing_bought_costs_nothing() -> None:
    assert Ledger().total(START) is None


def test_an_intent_alone_costs_nothing() -> None:
    ledger = Ledger()
    ledger.intend(a_purchase())
    assert ledger.total(after(hours=1)) is None


def test_two_nodes_for_half_an_hour() -> None:
    ledger = Ledger()
    ledger.intend(a_purchase())
    ledger.confirm("ws1", after(seconds=10))
    cost = ledger.total(after(seconds=1810))
    assert cost is not None
    assert (cost.spent, cost.currency, cost.node_seconds) == ("3.60", "USD", 3600)
    assert (cost.per_hour, cost.nodes) == ("7.20", 2)


@pytest.mark.parametrize("hours", [0, 0.5, 1, 30])
def test_a_status_of_then_says_what_it_costs_now(hours: float) -> None:
    """Whoever reads an old status reckons what the ledger would say."""
    ledger = Ledger()
    ledger.intend(a_purchase())
    ledger.confirm("ws1", None)
    then, now = ledger.total(after(minutes=1)), after(minutes=1) + timedelta(hours=hours)
    assert then is not None
    assert cost_at(then, now) == ledger.total(now)
    ledger.close("ws1", after(minutes=2), existed=True)
    ended = ledger.total(after(minutes=2))
    assert ended is not None and (ended.per_hour, ended.nodes) == (None, None)
    assert cost_at(ended, now).spent == ended.spent


def test_the_clock_stops_when_the_cloud_says_not_found() -> None:
    ledger = Ledger()
    ledger.intend(a_purchase())
    ledger.confirm("ws1", None)
    ledger.close("ws1", after(hours=1), existed=True)
    once = ledger.total(after(hours=2))
    assert once is not None
    assert ledger.total(after(hours=9)) == once.model_copy(update={"as_of": after(hours=9)})
    assert ledger.usd == pytest.approx(7.2)


def test_a_refused_purchase_costs_nothing() -> None:
    ledger = Ledger()
    ledger.intend(a_purchase())
    ledger.close("ws1", after(hours=1), existed=False)
    assert ledger.total(after(hours=2)) is None


def test_a_purchase_whose_response_was_lost_is_paid_from_the_intent() -> None:
    ledger = Ledger()
    ledger.intend(a_purchase())
    ledger.close("ws1", after(hours=1), existed=True)
    assert ledger.node_seconds == 7200


def test_without_a_price_there_is_no_amount_but_node_seconds() -> None:
    ledger = Ledger()
    ledger.intend(a_purchase(price_per_hour=None))
    ledger.confirm("ws1", None)
    cost = ledger.total(after(hours=1))
    assert cost is not None
    assert (cost.spent, cost.currency, cost.node_seconds) == (None, None, 7200)
    assert (cost.per_hour, cost.nodes) == (None, 2)
    assert cost_at(cost, after(hours=2)).node_seconds == 14400


def test_a_second_try_for_the_same_pool_is_one_purchase() -> None:
    ledger = Ledger()
    ledger.intend(a_purchase())
    ledger.intend(a_purchase(since=after(hours=1)))
    assert len(ledger.open) == 1


@given(st.lists(st.tuples(st.integers(1, 8), st.floats(0.1, 100), st.integers(1, 10**6)), max_size=6))
def test_sums_are_the_sums_of_the_parts(pools: list[tuple[int, float, int]]) -> None:
    ledger = Ledger()
    for number, (nodes, price, seconds) in enumerate(pools):
        ledger.intend(a_purchase(pool=f"ws{number}", nodes=nodes, price_per_hour=price))
        ledger.confirm(f"ws{number}", None)
        ledger.close(f"ws{number}", after(seconds=seconds), existed=True)
    assert ledger.open == []
    assert ledger.node_seconds == pytest.approx(sum(nodes * seconds for nodes, _, seconds in pools))
    assert ledger.usd == pytest.approx(sum(price * seconds / 3600 for _, price, seconds in pools))


def test_what_the_cluster_was_stopped_is_not_billed() -> None:
    ledger = Ledger()
    ledger.intend(a_purchase())
    ledger.confirm("ws1", after(seconds=10))
    ledger.note_stop(after(hours=1), after(hours=11))
    ledger.note_stop(after(hours=2), after(hours=12))  # the same, as another saw it: an hour more
    ledger.close("ws1", after(hours=13, seconds=10), existed=True)
    assert ledger.node_seconds == 2 * 2 * 3600
    assert ledger.usd == pytest.approx(7.2 * 2)


def test_a_stop_before_the_purchase_or_after_the_release_changes_nothing() -> None:
    ledger = Ledger()
    ledger.intend(a_purchase())
    ledger.note_stop(after(hours=-2), after(hours=3))
    ledger.confirm("ws1", after(hours=3))
    ledger.note_stop(after(hours=-2), after(hours=3))
    ledger.close("ws1", after(hours=4), existed=True)
    ledger.note_stop(after(hours=4), after(hours=5))
    assert ledger.node_seconds == 2 * 3600
