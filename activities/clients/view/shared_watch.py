"""Keeps one watched kind up to date while anybody waits for it, and tells every wait what concerns it.

Starts with the first wait and stops some minutes after the last one; nothing is kept then. If it cannot go on, every
wait ends with the API server's error, as if it had watched by itself, and the next wait starts it again, after a pause
that grows with each failure. `watch.py` lists, watches and resumes; `index.py` finds the waits.
"""

import asyncio
import logging
import math
import time
from collections import deque
from contextlib import aclosing
from typing import Final

from activities.clients.kubernetes import Cluster, Object
from activities.clients.view.index import Group, Index, Scope, Wait
from activities.clients.view.watched import Watched
from activities.clients.watch import PAUSES_S, Change, Reflector

log = logging.getLogger(__name__)

SILENCE_S: Final = 90.0
"""API servers send a bookmark about once a minute. If none came for longer, the connection may be dead: everything is
listed again, and before the next wait looks."""
CHECK_S: Final = 15.0
"""Between two looks for silence."""
RENEW_S: Final = 5.0
"""A view that somebody has found behind is listed again this long after its last listing, at the earliest."""


class SharedWatch:
    """One Reflector, and the waits on what it knows. `listed`: what it knows is complete."""

    def __init__(self, cluster: Cluster, watched: Watched, idle_s: float) -> None:
        self.cluster, self.watched = cluster, watched
        self._idle_s = idle_s
        self._failures = 0
        self._listed_at = -math.inf
        self._task: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._check: asyncio.TimerHandle | None = None
        self._forget()

    @property
    def heard(self) -> float:
        """When (time.monotonic) the API server last sent something."""
        return self._reflector.heard

    @property
    def runs(self) -> bool:
        """Whether there is a request under way, or a pause before the next."""
        return self._task is not None and not self._task.done()

    def join(self, scope: Scope, wait: Wait) -> Group:
        """Adds a wait, and starts what does not run."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        group = self._index.join(scope, wait, self._reflector.known)
        if not self.runs:
            self._start()
        elif self._is_silent():
            self.list_again()
        if self.listed:
            wait.changed.set()
        return group

    def leave(self, group: Group, wait: Wait) -> None:
        """Removes a wait. Without any, everything stops in a while."""
        self._index.leave(group, wait)
        if self._idle is None and self._index.is_empty:
            self._idle = asyncio.get_running_loop().call_later(self._idle_s, self._stop_and_forget)

    def list_again(self) -> None:
        """Drops the connection and begins with a listing, unless there was one just now; the waits stay."""
        if self.listed and time.monotonic() - self._listed_at > RENEW_S:
            self._start()

    def _start(self) -> None:
        self.listed = False
        self._task = asyncio.create_task(self._run(self._task))
        if self._check is None:
            self._check = asyncio.get_running_loop().call_later(CHECK_S, self._look_for_silence)

    def _is_silent(self) -> bool:
        return self.listed and time.monotonic() - self.heard > SILENCE_S

    def _look_for_silence(self) -> None:
        self._check = None
        if self._is_silent() and not self._index.is_empty:
            log.info("nothing was heard of %ss for %g s; listing them again", self.watched.kind, SILENCE_S)
            self._start()
        elif self.runs:
            self._check = asyncio.get_running_loop().call_later(CHECK_S, self._look_for_silence)

    async def stop(self) -> None:
        """Stops for good."""
        task = self._stop_and_forget()
        if task is not None:
            await asyncio.wait([task])

    async def _run(self, before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            before.cancel()
            await asyncio.wait([before])
        if self._failures:
            await asyncio.sleep(PAUSES_S[min(self._failures, len(PAUSES_S)) - 1])
        try:
            async with aclosing(self._reflector.changes()) as followed:
                async for changes in followed:
                    self._note(changes)
        except Exception as error:  # a fault of ours, too, must end the waits instead of leaving them without news
            self._fail(error)

    def _note(self, changes: deque[Change[Object]]) -> None:
        while changes:
            change = changes.popleft()
            self._index.note(change.before, change.now)
        self._failures = 0
        if not self.listed:
            self.listed, self._listed_at = True, time.monotonic()
            for wait in self._index.waits():
                wait.changed.set()

    def _fail(self, error: Exception) -> None:
        waits = self._index.waits()
        self._failures += 1
        self.listed = False
        log.warning("%ss cannot be watched: %r; %d waits are told", self.watched.kind, error, len(waits))
        for wait in waits:
            wait.failure = error
            wait.changed.set()

    def _stop_and_forget(self) -> "asyncio.Task[None] | None":
        for timer in (self._idle, self._check):
            if timer is not None:
                timer.cancel()
        self._idle = self._check = None
        task, self._task, self._failures = self._task, None, 0
        if task is not None:
            task.cancel()
        self._forget()
        return task

    def _forget(self) -> None:
        self.listed = False
        self._index = Index()
        self._reflector: Reflector[Object] = Reflector(
            self.cluster,
            self.watched.kind,
            selector=self.watched.selector,
            keep=self.watched.keep,
            shorten=self.watched.keep,
        )
