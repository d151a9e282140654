"""Writes statuses: one writer per process, for all of its workflows.

What somebody acts on (phase, reason, a condition's verdict) is written as soon as a burst of short steps is over, and
at once if a workflow waits for it, as it does where it comes to rest. The rest is joined. Only the newest status of a
Workspace is ever written; a failed write is tried again, a refused one slowly, or replaced by a newer status.
`statuses.py` guards the object against older statuses of other processes.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from prometheus_client import Counter

from activities.contract.payloads import Observed, StatusPatch, WorkspaceKey
from activities.errors.interceptor import mapped_failure
from activities.errors.kubernetes import kubernetes_failure
from activities.status.refusals import Kind, is_refusal, log_fields, log_refusal

GATHER_S: Final = 0.2
"""Several steps in so short a time are one write: nobody reads the status of the first of them."""
JOIN_S: Final = 3.0
"""Changes that nobody acts on, such as the step within a phase, are joined for this long."""
BACKOFF_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses after failed writes, give or take half, so that a crowd does not come back at once; the last value repeats."""
REFUSED_S: Final = BACKOFF_S[-1]
"""The pause after a refusal, give or take half: it ends when somebody mends a CRD, a webhook or a role."""
GIVE_UP_S: Final = 24 * 3600.0
"""After so long without a successful write a status is dropped; the next change, or the hourly look, offers another."""
LAST_WRITES_S: Final = 5.0
"""How long a process that stops keeps on writing."""

WRITES: Final = Counter("modelyard_status_writes", "Statuses handed to the writer and what became of them", ["outcome"])

Write = Callable[[StatusPatch], Awaitable[Observed]]
ReportGone = Callable[[WorkspaceKey], Awaitable[None]]
_Verdict = tuple[Any, ...]
_Id = tuple[str, str, str]
_log = logging.getLogger(__name__)


@dataclass
class _Line:
    """One Workspace's statuses: the one to be written next, and who waits for it."""

    pending: StatusPatch | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    verdict: _Verdict = ()
    verdict_changed_at: float | None = None
    written: int = -1
    written_at: float = float("-inf")
    seen: Observed | None = None
    refused: set[Kind] = field(default_factory=set)
    waiting: "list[tuple[int, asyncio.Future[Observed]]]" = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None


class StatusWriter:
    """Accepts statuses from any thread; writes them in the loop that it was made in."""

    def __init__(
        self, write: Write, report_gone: ReportGone, *, join_s: float = JOIN_S, gather_s: float = GATHER_S
    ) -> None:
        """Requires a running loop."""
        self._write = write
        self._report_gone = report_gone
        self._join_s, self._gather_s = join_s, gather_s
        self._loop = asyncio.get_running_loop()
        self._lines: dict[_Id, _Line] = {}
        self._hurry = False

    def offer(self, patch: StatusPatch) -> None:
        """Hands over a status; returns at once. A status that is not newer than the last one is dropped."""
        self._loop.call_soon_threadsafe(self._accept, patch)

    def forget(self, key: WorkspaceKey) -> None:
        """Drops what is not written yet; a write under way still ends."""
        self._loop.call_soon_threadsafe(self._drop, key)

    async def confirm(self, patch: StatusPatch) -> Observed:
        """Returns once this status, or a newer one, is written. Raises what a failed write raises."""
        line = self._lines.get(_id(patch.workspace))
        if line is not None and line.pending is None and line.written >= patch.revision and line.seen is not None:
            return line.seen
        waiting: asyncio.Future[Observed] = self._loop.create_future()
        line = self._accept(patch)
        line.waiting.append((patch.revision, waiting))
        line.changed.set()
        return await waiting

    @property
    def kept(self) -> int:
        """How many Workspaces it knows: those with something to write, or written to a moment ago."""
        return len(self._lines)

    async def drain(self) -> None:
        """Writes what is pending without joining it; returns after LAST_WRITES_S at the latest."""
        self._hurry = True
        tasks = [line.task for line in self._lines.values() if line.task is not None and line.pending is not None]
        for line in self._lines.values():
            line.changed.set()
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_WRITES_S)
        for line in list(self._lines.values()):
            if line.task is not None:
                line.task.cancel()

    def _accept(self, patch: StatusPatch) -> _Line:
        line = self._lines.setdefault(_id(patch.workspace), _Line())
        newest = line.pending.revision if line.pending else line.written
        if patch.revision > newest:
            WRITES.labels("joined" if line.pending else "accepted").inc()
            line.pending = patch
            line.changed.set()
        if line.task is None:
            line.task = self._loop.create_task(self._run(patch.workspace, line))
        return line

    def _drop(self, key: WorkspaceKey) -> None:
        line = self._lines.pop(_id(key), None)
        if line is not None:
            line.pending = None
            line.changed.set()

    async def _run(self, key: WorkspaceKey, line: _Line) -> None:
        """Writes until nothing has been pending for a while; then nothing of the Workspace is kept."""
        try:
            while await self._something_to_write(line):
                await self._write_newest(key, line)
        finally:
            if self._lines.get(_id(key)) is line:
                del self._lines[_id(key)]
            for _, waiting in line.waiting:
                waiting.cancel()

    async def _something_to_write(self, line: _Line) -> bool:
        """Waits until the pending status may be written. False when nothing came for a while."""
        while True:
            line.changed.clear()
            left_s = 0.0 if self._hurry or line.waiting else self._due(line) - self._loop.time()
            if left_s <= 0:
                return line.pending is not None
            await _changed_within(line, left_s)

    def _due(self, line: _Line) -> float:
        """When the pending status is written, or, without one, when the Workspace is forgotten."""
        if line.pending is not None and verdict_of(line.pending) != line.verdict:
            line.verdict_changed_at = line.verdict_changed_at or self._loop.time()
            return line.verdict_changed_at + self._gather_s
        return line.written_at + self._join_s

    async def _write_newest(self, key: WorkspaceKey, line: _Line) -> None:
        """Writes the pending status, or the newer one that replaces it meanwhile; gives up after GIVE_UP_S."""
        began, failed = self._loop.time(), 0
        while (patch := line.pending) is not None:
            try:
                seen = await self._write(patch)
            except Exception as error:  # every error gets a reason; none is swallowed
                failure = mapped_failure(error, failed + 1, [kubernetes_failure])
                _fail_waiting(line, error)
                refused = is_refusal(failure)
                if (refused and self._hurry) or self._loop.time() - began > GIVE_UP_S:
                    self._give_up(key, line, patch, failure)
                    return
                usual_s = REFUSED_S if refused else BACKOFF_S[min(failed, len(BACKOFF_S) - 1)]
                pause_s = usual_s * random.uniform(0.5, 1.5)
                if refused:
                    log_refusal(key, failure, pause_s, line.refused)
                else:
                    level = logging.WARNING if failed == 0 else logging.DEBUG
                    _log.log(level, "a status is written again in %.1f s: %s", pause_s, failure, extra=log_fields(key))
                failed += 1
                WRITES.labels("refused" if refused else "failed").inc()
                await self._pause(line, patch, pause_s, refused=refused)
                continue
            await self._wrote(key, line, patch, seen)
            return

    async def _pause(self, line: _Line, patch: StatusPatch, pause_s: float, *, refused: bool) -> None:
        """Ends early for a status that says something else, and for who waits; after a refusal also for one that would
        be joined, which may be a valid one, and for a process that stops."""
        began = self._loop.time()
        while True:
            newer = line.pending
            if newer is None or line.waiting or verdict_of(newer) != verdict_of(patch) or (refused and self._hurry):
                return
            ends = began + (min(pause_s, self._join_s) if refused and newer is not patch else pause_s)
            if (rest := ends - self._loop.time()) <= 0:
                return
            line.changed.clear()
            await _changed_within(line, rest)

    def _give_up(self, key: WorkspaceKey, line: _Line, patch: StatusPatch, failure: Exception) -> None:
        WRITES.labels("dropped").inc()
        _log.error("a status could not be written: %s", failure, extra=log_fields(key))
        if line.pending is patch:
            line.pending = None
        line.written_at = self._loop.time()

    async def _wrote(self, key: WorkspaceKey, line: _Line, patch: StatusPatch, seen: Observed) -> None:
        WRITES.labels("written").inc()
        line.verdict, line.written, line.written_at = verdict_of(patch), patch.revision, self._loop.time()
        line.seen, line.verdict_changed_at = seen, None
        line.refused.clear()
        if line.pending is patch or not seen.found:
            line.pending = None
        for revision, waiting in list(line.waiting):
            if not seen.found or revision <= patch.revision:
                line.waiting.remove((revision, waiting))
                if not waiting.done():
                    waiting.set_result(seen)
        if not seen.found:
            await self._tell_gone(key)

    async def _tell_gone(self, key: WorkspaceKey) -> None:
        try:
            await self._report_gone(key)
        except Exception as error:  # the hourly look of the workflow finds it, too
            _log.warning("a workflow could not be told that its Workspace is gone: %r", error, extra=log_fields(key))


def _id(key: WorkspaceKey) -> _Id:
    """With the name: a workflow of another one that was given this uid finds no Workspace, and must not end this."""
    return key.namespace, key.name, key.uid


def verdict_of(patch: StatusPatch) -> _Verdict:
    """What somebody acts on: phase, reason, generation, and the verdict of each condition."""
    status = patch.status
    found = status.get("conditions")
    conditions = found if isinstance(found, list) else []
    verdicts = sorted((str(one.get("type")), str(one.get("status"))) for one in conditions)
    return (status.get("phase"), status.get("reason"), status.get("observedGeneration"), *verdicts)


async def _changed_within(line: _Line, seconds: float) -> None:
    """Returns at the next change, or when the time is over."""
    try:
        async with asyncio.timeout(seconds):
            await line.changed.wait()
    except TimeoutError:
        return


def _fail_waiting(line: _Line, error: Exception) -> None:
    for _, waiting in line.waiting:
        if not waiting.done():
            waiting.set_exception(error)
    line.waiting.clear()
