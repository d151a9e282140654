"""Runs the processes of one training step: reads their messages, forwards SIGTERM, detects stalls, kills leftovers.

Independent of models; `tune/steps.py` decides which processes run in which order.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.pod.exit import Failure
from runtime.tune.failures import STALLED, STOPPED, kind_of_exit

LOOK_S = 0.1
END_S = 10.0
"""Seconds for the other processes to exit after one has failed; they may be blocked waiting for it."""

Handler = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Limits:
    """How long to wait. Seconds."""

    stall_s: float
    stop_s: float


class Team:
    """The processes of one step, from their start until all have exited."""

    def __init__(self, commands: Sequence[tuple[list[str], Mapping[str, str]]], handle: Handler) -> None:
        """Starts a process for each (argv, environment); appends the pipe's file descriptor to argv."""
        reading, writing = os.pipe()
        self._handle, self._failure, self._broken = handle, _FirstFailure(), threading.Event()
        self.last_report_at = time.monotonic()
        self._stopped_at: float | None = None
        try:
            self._members = [
                subprocess.Popen([*argv, "--tell", str(writing)], env=dict(environment), pass_fds=(writing,))
                for argv, environment in commands
            ]
        finally:
            os.close(writing)
        self._listener = threading.Thread(target=self._listen, args=(reading,), name="listen", daemon=True)
        self._listener.start()

    def run(self, limits: Limits, is_stopped: Callable[[], bool]) -> None:
        """Returns when all have succeeded. Raises Failure with the reason of the first that failed."""
        try:
            code = self._wait(limits, is_stopped)
        finally:
            self._end()
        if self._failure.error is not None:
            raise self._failure.error
        if code != 0 and self._stopped_at is not None and not self._failure.code:
            raise Failure(STOPPED, "asked to stop before there was anything to save")
        if code != 0:
            kind = kind_of_exit(self._failure.code or code)
            raise Failure(kind, self._failure.message or f"a training process ended with code {code}; see the log")

    def _wait(self, limits: Limits, is_stopped: Callable[[], bool]) -> int:
        while any(member.poll() is None for member in self._members):
            failed = next((m.returncode for m in self._members if m.poll() is not None and m.returncode != 0), None)
            if failed is not None or self._broken.is_set():
                return failed or 1
            if is_stopped():
                self._pass_stop_on(limits)
            elif time.monotonic() - self.last_report_at > limits.stall_s:
                raise Failure(STALLED, f"the training reported nothing for {limits.stall_s:g} s")
            time.sleep(LOOK_S)
        return next((member.returncode for member in self._members if member.returncode != 0), 0)

    def _pass_stop_on(self, limits: Limits) -> None:
        now = time.monotonic()
        if self._stopped_at is None:
            self._stopped_at = now
            self._signal(signal.SIGTERM)
        elif now - self._stopped_at > limits.stop_s:
            words = "the last checkpoint before it is kept"
            raise Failure(STOPPED, f"the step under way did not end within {limits.stop_s:g} s; {words}")

    def _end(self) -> None:
        """Ends all processes. Those still running after a failure are blocked waiting for the one that failed."""
        ends = time.monotonic() + (0 if self._stopped_at else END_S)
        while any(member.poll() is None for member in self._members) and time.monotonic() < ends:
            self._signal(signal.SIGTERM)
            time.sleep(LOOK_S)
        self._signal(signal.SIGKILL)
        for member in self._members:
            member.wait()
        self._listener.join(END_S)

    def _signal(self, number: int) -> None:
        for member in self._members:
            if member.poll() is None:
                member.send_signal(number)

    def _listen(self, reading: int) -> None:
        with os.fdopen(reading) as lines:
            for line in lines:
                self.last_report_at = time.monotonic()
                message = json.loads(line)
                if failure := message.get("failure"):
                    self._failure.record(failure)
                    continue
                try:
                    self._handle(message)
                except OSError as error:
                    self._failure.error = error
                    self._broken.set()


class _FirstFailure:
    """The failure that a process reported first."""

    def __init__(self) -> None:
        self.code, self.message = 0, ""
        self.error: OSError | None = None

    def record(self, failure: Mapping[str, Any]) -> None:
        if not self.code:
            self.code, self.message = int(failure["code"]), str(failure["message"])
