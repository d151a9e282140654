"""What a Workspace at rest writes into its history, with the largest plan that there is."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

from temporalio.api.history.v1 import HistoryEvent

from api.purchasing import OPTIONS_MAX
from bench.lives.actions import actions_of
from bench.lives.budgets import BUDGETS
from tests.fakes.large_plans import UID, machines, options_of
from tests.workflows.conftest import Bench
from workflows.resync import EARLIER_SHARE, RESYNC, interval_of

LOOK = ("read_wanted", "read_health")
LOOK_LIMIT = 1_000
HOUR_LIMIT = 3_000
MONTH = timedelta(days=30)


async def events(bench: Bench) -> list[HistoryEvent]:
    assert bench.handle is not None
    return list((await bench.handle.fetch_history()).events)


def activity_payloads(found: Iterable[HistoryEvent]) -> Iterator[tuple[str, int]]:
    """For each argument and result: the activity's name, and bytes as the data converter wrote them."""
    names: dict[int, str] = {}
    for event in found:
        scheduled = event.activity_task_scheduled_event_attributes
        completed = event.activity_task_completed_event_attributes
        if scheduled.activity_type.name:
            names[event.event_id] = scheduled.activity_type.name
        name = names.get(event.event_id) or names.get(completed.scheduled_event_id, "")
        for payload in (*scheduled.input.payloads, *completed.result.payloads):
            yield name, len(payload.data)


async def test_an_hourly_resync_without_changes_writes_little(bench: Bench) -> None:
    bench.world.uid = UID
    bench.world.planned = options_of(machines(12), name=bench.name, capacity_types="spot,on-demand")
    assert len(bench.world.planned) == OPTIONS_MAX
    await bench.signal()
    await bench.settled()
    await bench.env.sleep(timedelta(minutes=1))
    before, calls = await events(bench), Counter(bench.world.calls)
    await bench.env.sleep(RESYNC)
    await bench.until(lambda _: set(bench.world.calls - calls) == {*LOOK, "patch_status"})
    after = (await events(bench))[len(before) :]
    sizes = Counter[str]()
    for name, size in activity_payloads(after):
        sizes[name] += size
    whole = sum(event.ByteSize() for event in after)
    print(f"arguments and results of an idle hour: {dict(sizes)}; all of its events: {whole} bytes")
    assert set(sizes) == set(LOOK)  # the status is written outside of the history
    assert sum(sizes[name] for name in LOOK) < LOOK_LIMIT
    assert whole < HOUR_LIMIT


async def test_a_day_at_rest_has_as_many_actions_as_a_look_by_message_times_its_hours(bench: Bench) -> None:
    """The budget's look is asked for by a message, because no test waits for an hour; here time itself asks."""
    await bench.signal()
    await bench.settled()
    interval = interval_of(bench.world.uid)
    day = timedelta(days=1) // interval
    await bench.env.sleep(interval / 2)  # begins and ends between two looks
    before, looks = await events(bench), bench.world.calls["read_health"]
    await bench.env.sleep(day * interval)
    looked = bench.world.calls["read_health"] - looks
    billed = actions_of((await events(bench))[len(before) :])
    print(f"{looked} looks in a day, one each {interval}: {dict(billed)}")
    assert looked == day
    assert billed.total() == day * BUDGETS["hour_actions"].counted


def test_the_months_of_docs_are_those_of_the_shortest_and_the_longest_interval() -> None:
    page = (Path(__file__).parents[2] / "docs" / "temporal.md").read_text()
    least = MONTH / RESYNC * BUDGETS["hour_actions"].counted
    most = MONTH / (RESYNC * (1 - EARLIER_SHARE)) * BUDGETS["hour_actions"].counted
    assert f"{least:.0f} to {most:.0f} a month for one at rest" in " ".join(page.split())
