"""Which nodes of a Ready Workspace count as lost at a look: those that are gone, go, or have been unready for long."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.nodes.readiness import names_not_lost

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
GRACE = timedelta(seconds=60)


def _node(status: str | None, changed: str | None = "2026-11-30T11:59:30Z", **metadata: str) -> dict[str, Any]:
    found = {"type": "Ready", "status": status} | ({"lastTransitionTime": changed} if changed else {})
    return {"metadata": {"name": "a"} | metadata, "status": {"conditions": [found] if status else []}}


@pytest.mark.parametrize(
    "node",
    [
        pytest.param(_node("True", "2026-01-01T00:00:00Z"), id="ready"),
        pytest.param(_node("True", None), id="ready, nobody knows since when"),
        pytest.param(_node("Unknown"), id="silent for half a minute"),
        pytest.param(_node("False"), id="unready for half a minute"),
        pytest.param(_node("False", "2026-11-30T12:00:07Z"), id="unready by a clock that is ahead"),
        pytest.param(
            _node("True") | {"status": {"conditions": _node("True")["status"]["conditions"], "allocatable": {}}},
            id="ready while its device plugin restarts",
        ),
    ],
)
def test_it_is_not_lost(node: dict[str, Any]) -> None:
    assert names_not_lost({"a": node}, GRACE, NOW) == ["a"]


@pytest.mark.parametrize(
    "node",
    [
        pytest.param(_node("Unknown", "2026-11-30T11:59:00Z"), id="silent for the whole grace"),
        pytest.param(_node("False", None), id="unready, nobody knows since when"),
        pytest.param(_node(None), id="never reported"),
        pytest.param(_node("True", deletionTimestamp="2026-11-30T11:59:59Z"), id="ready and being deleted"),
        pytest.param(_node("False", deletionTimestamp="2026-11-30T11:59:59Z"), id="unready and being deleted"),
    ],
)
def test_it_is_lost(node: dict[str, Any]) -> None:
    assert names_not_lost({"a": node}, GRACE, NOW) == []
