"""What each process imports before it serves: the clients of its own work only, and so much memory.

An import that is not needed costs every process megabytes for its whole life. Where this fails, import at the place of
use, or import a module that imports less.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

import pytest

NOBODY: Final = {
    "typer", "rich", "pygments", "httpx", "requests_oauthlib", "oauthlib", "websocket", "kubernetes.client",
    "kubernetes.stream", "huggingface_hub.hf_api", "deploy", "cli", "testing", "tests", "pytest",
}  # fmt: skip
"""The command's, tests', and halves of packages that no process uses."""
WEB: Final = {"fastapi", "starlette", "uvicorn", "click"}
AZURE: Final = {"azure", "msal"}
WITHOUT_USE: Final = {
    "azure.mgmt.compute", "azure.identity", "msal", "cryptography", "requests",
    "workflows.state", "api.resource.status",
}  # fmt: skip
"""Of the cloud worker: a package for two lists, identities where a token comes from a file, a Workspace's status."""
WORKERS: Final = {"temporalio.worker", "activities.errors.interceptor"}
HUB: Final = {"huggingface_hub", "httpx2"}
CLUSTER: Final = {"kubernetes.aio.client", "activities.clients.kubernetes"}
PLANNING: Final = {"presets.plan.planner", "presets.models.catalog"}
REPORT: Final = """
import json, sys
from pathlib import Path
import {modules}

fields = [line.split() for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]]
print(json.dumps([sorted(sys.modules), next(int(field[1]) for field in fields if field[0] == "Anonymous:")]))
"""


@dataclass(frozen=True)
class Process:
    """`modules` is what it imports, `without` what that must not bring along; at most so many MiB of its own, that is
    without the programs' and libraries' code, which processes share."""

    modules: str
    without: set[str]
    most_mib: int


PROCESSES: Final = {
    "watcher": Process("watcher.__main__", WEB | AZURE | WORKERS | HUB | PLANNING, 56),
    "cluster worker": Process("worker.__main__, worker.cluster", WEB | AZURE, 70),
    "cloud worker": Process("worker.__main__, worker.cloud", WEB | HUB | CLUSTER | PLANNING | WITHOUT_USE, 64),
    "admin": Process("admin.__main__", AZURE | WORKERS | HUB | PLANNING, 68),
}


@pytest.fixture(scope="module", params=PROCESSES)
def started(request: pytest.FixtureRequest) -> tuple[Process, set[str], float]:
    """A process, the modules that it has imported, and its own memory in MiB."""
    process = PROCESSES[request.param]
    ended = subprocess.run(
        [sys.executable, "-c", REPORT.format(modules=process.modules)],
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")},
        capture_output=True,
        text=True,
        check=True,
    )
    modules, kib = json.loads(ended.stdout)
    return process, set(modules), kib / 1024


def test_a_process_imports_what_it_uses(started: tuple[Process, set[str], float]) -> None:
    process, modules, _ = started
    assert modules & (process.without | NOBODY) == set()


def test_a_process_is_small_before_it_serves(started: tuple[Process, set[str], float]) -> None:
    process, _, mib = started
    print(f"{process.modules}: {mib:.0f} MiB of its own after its imports")
    assert mib < process.most_mib
