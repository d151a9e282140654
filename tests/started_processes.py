"""Counts the costly programs that a run of tests starts, so that a fixture that starts one more is seen.

Looks at all processes twice a second from the process that leads the run. A process is ours when it, or an ancestor,
carries the run's mark in its environment: daemons outlive who started them, and containers have an environment of their
own. One that lives shorter than a look is not counted.
"""

import contextlib
import os
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Final

import psutil
import pytest

MARK: Final = "MODELYARD_TEST_RUN"
LOOK_S: Final = 0.5
BY_PROGRAM: Final = ("kube-apiserver", "etcd", "kubelet", "containerd", "temporal-test-server", "docker-registry")
BY_MODULE: Final = {
    "watcher": "stack (its watcher)",
    "deploy.local.azure": "ARM emulator",
    "deploy.local.mirror": "mirror",
    "runtime.serve.server": "vLLM",
    "runtime.tune": "training",
}


def program_of(argv: Sequence[str]) -> str:
    """What a command line runs, as far as it is counted; empty for everything else."""
    if not argv:
        return ""
    name = PurePath(argv[0]).name
    if name in BY_PROGRAM:
        return name
    if name == "temporal" and "start-dev" in argv:
        return "Temporal server"
    module = argv[argv.index("-m") + 1] if "-m" in argv[1:-1] else ""
    return BY_MODULE.get(module, "")


class StartedProcesses:
    """A plugin of pytest."""

    def __init__(self, named: Callable[[Sequence[str]], str] = program_of) -> None:
        """`named` gives what a command line is counted as, empty for what is not."""
        self._named = named
        self.mark = uuid.uuid4().hex
        self._ours: dict[tuple[int, float], str] = {}
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._look_on, daemon=True)

    def pytest_sessionstart(self) -> None:
        os.environ[MARK] = self.mark
        self._looking.start()

    def pytest_sessionfinish(self) -> None:
        self._over.set()
        self._looking.join()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._ours:
            terminalreporter.section("started processes")
            terminalreporter.write_line(", ".join(f"{n} {program}" for program, n in self.counts().most_common()))

    def counts(self) -> Counter[str]:
        """How many of each program have been seen."""
        return Counter(self._ours.values())

    def _look_on(self) -> None:
        while not self._over.wait(LOOK_S):
            self.look()

    def look(self) -> None:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):  # it has ended meanwhile
                known = (process.pid, process.create_time())
                program = self._named(process.cmdline())
                if program and known not in self._ours and self._is_ours(process):
                    self._ours[known] = program

    def _is_ours(self, process: psutil.Process) -> bool:
        """Asked again at every look for those of other people, which are few."""
        return any(one.environ().get(MARK) == self.mark for one in (process, *process.parents()))
