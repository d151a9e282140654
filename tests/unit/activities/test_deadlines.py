"""The time of an activity stands still while the cluster is away, and ends it on time while it is there."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from temporalio import activity
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.contract import signatures as s
from activities.contract.failures import failure
from activities.contract.policies import AWAY_MAX
from activities.contract.signatures import Signature
from activities.deadline import LONGEST_SILENCE, SEEN, Clock, deadline_after, start_clock
from activities.errors.kubernetes import kubernetes_failure
from activities.heartbeat import heartbeating

LIMIT = timedelta(minutes=20)
LONG_AGO = datetime.now(UTC) - timedelta(days=3)
AWAY = failure("ApiServerAway", "the Kubernetes API server did not answer")
BUSY = failure("CloudBusy", "another operation is in progress", retry_after=timedelta(seconds=5))


def info_of(
    signature: Signature[Any, Any] = s.WAIT_FOR_NODES,
    *,
    scheduled: datetime = LONG_AGO,
    started: datetime | None = None,
    again: datetime | None = None,
    beat: tuple[Any, ...] = (),
    limit: timedelta = LIMIT,
) -> activity.Info:
    """Of an attempt that starts now, of an activity that was asked for three days ago."""
    started = started or datetime.now(UTC)
    return replace(
        ActivityEnvironment().info,
        activity_type=signature.name,
        attempt=1 if again is None else 2,
        scheduled_time=scheduled,
        current_attempt_scheduled_time=again or scheduled,
        started_time=started,
        schedule_to_close_timeout=limit + AWAY_MAX,
        heartbeat_details=beat,
        retry_policy=RetryPolicy(initial_interval=timedelta(seconds=5), maximum_interval=timedelta(minutes=5)),
    )


def left(clock: Clock) -> timedelta:
    assert clock.deadline is not None
    return clock.deadline - clock.now()


def about(one: timedelta, other: timedelta) -> bool:
    return abs(one - other) < timedelta(seconds=30)


def carried(seen: datetime, away: timedelta = timedelta()) -> tuple[Any, ...]:
    return ({"ready": 0}, {SEEN: seen.isoformat(), "away": away.total_seconds()})


@pytest.mark.parametrize("error", [aiohttp.ClientConnectionError("no route to host"), TimeoutError()], ids=repr)
def test_an_api_server_that_does_not_answer_is_away(error: Exception) -> None:
    mapped = kubernetes_failure(error)
    assert mapped is not None and (mapped.type, mapped.non_retryable) == ("ApiServerAway", False)


def test_what_no_worker_has_worked_on_has_all_of_its_time() -> None:
    assert about(left(Clock(info_of())), LIMIT)


def test_the_time_without_a_worker_does_not_count_and_the_time_with_one_does() -> None:
    seen = LONG_AGO + timedelta(minutes=15)
    assert about(left(Clock(info_of(beat=carried(seen), again=seen))), timedelta(minutes=5))


def test_two_absences_add_up() -> None:
    away = timedelta(days=1)
    seen = LONG_AGO + away + timedelta(minutes=15)
    assert about(left(Clock(info_of(beat=carried(seen, away), again=seen))), timedelta(minutes=5))


def test_a_restart_of_a_worker_counts() -> None:
    scheduled = datetime.now(UTC) - timedelta(minutes=19)
    seen = datetime.now(UTC) - LONGEST_SILENCE / 2
    clock = Clock(info_of(scheduled=scheduled, beat=carried(seen), again=seen))
    assert (clock.away, about(left(clock), timedelta(minutes=1))) == (timedelta(), True)


def test_attempts_that_do_not_meet_the_cluster_cost_no_time() -> None:
    seen = LONG_AGO + timedelta(minutes=15)
    clock = Clock(info_of(beat=carried(seen), again=seen))
    assert clock.carried() == carried(seen)[-1], "the next attempt finds what this one found"
    clock.note_met()
    assert datetime.fromisoformat(clock.carried()[SEEN]) > seen
    assert timedelta(seconds=clock.carried()["away"]) == clock.away > timedelta(days=2)


@pytest.mark.parametrize("signature", [s.WAIT_FOR_NODES, s.READ_HEALTH], ids=["waits", "asks"])
def test_an_api_server_that_is_away_is_waited_for(signature: Signature[Any, Any]) -> None:
    """Whether the activity beats or not: the second try of one that asks is long after its time."""
    clock = Clock(info_of(signature, again=datetime.now(UTC)))
    assert clock.last(AWAY) is AWAY


def test_an_attempt_that_met_the_cluster_ends_in_time_though_a_connection_fails() -> None:
    """A pod that does not answer looks like an API server that does not."""
    seen = LONG_AGO + LIMIT
    clock = Clock(info_of(s.READ_COMPLETIONS, beat=carried(seen), again=seen))
    clock.note_met()
    found = clock.last(AWAY)
    assert isinstance(found, ApplicationError) and found.non_retryable and found.type == "ApiServerAway"


def test_any_other_failure_ends_an_activity_in_time_with_the_last_error() -> None:
    seen = LONG_AGO + LIMIT - timedelta(seconds=4)
    clock = Clock(info_of(beat=carried(seen), again=seen))
    found = clock.last(BUSY)
    assert isinstance(found, ApplicationError) and (found.type, found.non_retryable) == ("CloudBusy", True)
    assert found.message == (
        "wait_for_nodes did not end before its deadline; the last error was: another operation is in progress"
    )


def test_a_failure_before_that_is_tried_again() -> None:
    clock = Clock(info_of())
    assert clock.last(BUSY) is BUSY


def test_a_worker_that_is_drained_hands_over_at_any_time() -> None:
    handed_over = failure("WorkerDraining", "another worker continues", retry_after=timedelta())
    seen = LONG_AGO + 2 * LIMIT
    assert Clock(info_of(beat=carried(seen), again=seen)).last(handed_over) is handed_over


def test_temporal_itself_ends_what_an_older_release_has_asked_for() -> None:
    info = replace(info_of(), schedule_to_close_timeout=LIMIT)
    assert Clock(info).deadline is None and Clock(info).last(BUSY) is BUSY


async def test_a_wait_ends_when_its_time_is_over_and_beats_what_the_next_attempt_needs() -> None:
    environment, beats = ActivityEnvironment(), list[tuple[Any, ...]]()
    environment.info = info_of(limit=timedelta(seconds=0.5), scheduled=datetime.now(UTC))
    environment.on_heartbeat = lambda *details: beats.append(details)

    async def wait() -> None:
        start_clock()
        async with heartbeating() as progress:
            progress.note_met()
            progress.report({"ready": 1})
            await asyncio.sleep(3600)

    with pytest.raises(ApplicationError, match="did not end before its deadline") as error:
        await environment.run(wait)
    assert (error.value.type, error.value.non_retryable) == ("DeadlineExceeded", True)
    assert beats[-1][0] == {"ready": 1} and set(beats[-1][1]) == {SEEN, "away"}


async def test_a_body_finds_its_deadline_and_only_its_own_details() -> None:
    environment = ActivityEnvironment()
    seen = LONG_AGO + timedelta(minutes=15)
    environment.info = info_of(beat=carried(seen), again=seen)

    async def look() -> tuple[datetime, tuple[Any, ...]]:
        start_clock()
        async with heartbeating() as progress:
            return deadline_after(LIMIT), progress.details

    deadline, details = await environment.run(look)
    assert details == ({"ready": 0},)
    assert about(deadline - datetime.now(UTC), timedelta(minutes=5))
