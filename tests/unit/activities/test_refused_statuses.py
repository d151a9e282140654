"""A status that the API server refuses: tried again slowly, said once, and in nobody's way."""

import asyncio
import logging

import pytest
from prometheus_client import REGISTRY

from activities.contract.failures import failure
from activities.contract.payloads import StatusPatch
from activities.status import writer as module
from activities.status.writer import StatusWriter
from testing.deadlines import PATIENCE_S
from tests.unit.activities.test_status_writer import FOUND, KEY, Written, status

SOON_S = 0.02
NEVER_S = 10 * PATIENCE_S


def refusal(code: int = 422) -> Exception:
    return failure("ApiServerRefused", f"the Kubernetes API server answered {code}: no", status=code)


def refused_so_far() -> float:
    return REGISTRY.get_sample_value("modelyard_status_writes_total", {"outcome": "refused"}) or 0.0


@pytest.fixture
async def written() -> Written:
    return Written()


@pytest.fixture
async def writer(written: Written, monkeypatch: pytest.MonkeyPatch) -> StatusWriter:
    """Tries again soon."""
    monkeypatch.setattr(module, "REFUSED_S", SOON_S)
    return made(written)


@pytest.fixture
async def slow(written: Written, monkeypatch: pytest.MonkeyPatch) -> StatusWriter:
    """Tries again after no test's time."""
    monkeypatch.setattr(module, "REFUSED_S", NEVER_S)
    return made(written)


def made(written: Written) -> StatusWriter:
    return StatusWriter(written.write, written.report_gone, join_s=SOON_S, gather_s=0.0)


async def refused_once(writer: StatusWriter, written: Written, patch: StatusPatch) -> None:
    written.errors = [refusal()]
    writer.offer(patch)
    await written.until(lambda: not written.errors)
    await asyncio.sleep(0)


async def test_it_is_written_once_the_refusal_has_passed_without_another_offer(
    writer: StatusWriter, written: Written
) -> None:
    before = refused_so_far()
    written.errors = [refusal(), refusal(), refusal()]
    writer.offer(status(1))
    await written.until(lambda: written.revisions)
    assert written.revisions == [1] and refused_so_far() == before + 3
    await written.until(lambda: writer.kept == 0)


async def test_each_kind_of_refusal_is_logged_once_with_what_to_do(
    writer: StatusWriter, written: Written, caplog: pytest.LogCaptureFixture
) -> None:
    written.errors = [refusal(), refusal(403), refusal(), refusal(403)]
    writer.offer(status(1))
    await written.until(lambda: written.revisions)
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert [("422" in one, "403" in one) for one in said] == [(True, False), (False, True)]
    assert all("deploy/rbac" in one for one in said)


async def test_a_newer_status_replaces_it_at_once(slow: StatusWriter, written: Written) -> None:
    await refused_once(slow, written, status(1))
    slow.offer(status(2, phase="Ready"))
    await written.until(lambda: written.revisions)
    assert written.revisions == [2]


async def test_a_newer_status_that_says_the_same_replaces_it_after_it_was_joined(
    slow: StatusWriter, written: Written
) -> None:
    await refused_once(slow, written, status(1))
    slow.offer(status(2, message="another step"))
    await written.until(lambda: written.revisions)
    assert written.revisions == [2]


async def test_who_waits_gets_the_error_at_once_and_the_next_who_waits_another_try(
    slow: StatusWriter, written: Written
) -> None:
    written.errors = [refusal(), refusal()]
    for _ in range(2):
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(Exception, match="answered 422"):
                await slow.confirm(status(1))
    async with asyncio.timeout(PATIENCE_S):
        assert await slow.confirm(status(1)) == FOUND


async def test_a_workspace_that_is_gone_meanwhile_ends_it(writer: StatusWriter, written: Written) -> None:
    written.found = False  # once the refusal has passed
    await refused_once(writer, written, status(1))
    await written.until(lambda: written.gone == [KEY])
    await written.until(lambda: writer.kept == 0)
    assert written.revisions == [1]


async def test_what_is_forgotten_is_not_tried_again(slow: StatusWriter, written: Written) -> None:
    await refused_once(slow, written, status(1))
    task = slow._lines[KEY.namespace, KEY.name, KEY.uid].task
    assert task is not None
    slow.forget(KEY)
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.wait([task])
    assert slow.kept == 0 and written.revisions == []


@pytest.mark.parametrize(("errors", "revisions"), [([], [1]), ([refusal()], [])], ids=["accepted", "refused"])
async def test_a_process_that_stops_tries_once_more_and_waits_no_longer(
    slow: StatusWriter, written: Written, monkeypatch: pytest.MonkeyPatch, errors: list[Exception], revisions: list[int]
) -> None:
    monkeypatch.setattr(module, "LAST_WRITES_S", NEVER_S)
    await refused_once(slow, written, status(1))
    written.errors = [*errors]
    async with asyncio.timeout(PATIENCE_S):
        await slow.drain()
    assert written.revisions == revisions and not written.errors


async def test_it_is_given_up_in_the_end(
    writer: StatusWriter, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GIVE_UP_S", 10 * SOON_S)
    written.errors = [refusal() for _ in range(10_000)]
    writer.offer(status(1))
    await written.until(lambda: len(written.errors) < 10_000)
    await written.until(lambda: writer.kept == 0)
    assert written.revisions == []
    written.errors = []
    writer.offer(status(2))
    await written.until(lambda: written.revisions == [2])
