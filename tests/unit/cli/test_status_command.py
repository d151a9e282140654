"""`modelyard status`: what a person reads of a Workspace."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.console import console
from cli.status import lines_of, run, table_of

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def workspace(**status: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "default", "name": "tune-facts"}, "status": status}


TRAINING = workspace(
    phase="Training",
    step="Train",
    reason="WorkspaceTuningJobStatusStarted",
    message="lora of org/model is being trained",
    since="2026-11-22T11:55:00Z",
    plan={"nodes": 1, "instanceType": "Standard_NC24ads_A100_v4", "pricePerHour": "3.67"},
    cost={"spent": "0.31", "nodeSeconds": 300},
    data={"rows": 30, "usable": 29, "tokens": 900},
    training={
        "phase": "training", "step": 7, "totalSteps": 21, "loss": "0.4321", "tokensPerSecond": "41.0",
        "etaSeconds": 173, "lastCheckpoint": 5, "resumedFrom": 5,
    },
)  # fmt: skip


def test_a_training_shows_how_far_it_is_and_what_it_has_cost() -> None:
    reported = "\n".join(lines_of(TRAINING, NOW))
    assert reported.startswith("default/tune-facts  Training  5m")
    assert "[##########....................] step 7 of 21, training" in reported
    assert "loss 0.4321, 41.0 tokens/s, 173 s to go, checkpoint at step 5, resumed from step 5" in reported
    assert "1 x Standard_NC24ads_A100_v4, $3.67 per hour" in reported and "300 node-seconds so far, $0.31" in reported
    assert "29 of 30 rows, about 900 tokens" in reported


def test_a_workspace_without_status_says_so() -> None:
    assert list(lines_of(workspace(), NOW)) == ["default/tune-facts  not seen yet"]


def test_a_pods_escape_sequences_markup_and_lines_are_only_words() -> None:
    message = "pod said \x1b[2J\u202e\n  plan       free of charge"
    hostile = workspace(phase="Failed", reason="[link=https://evil.example]Ready[/link]", message=message)
    lines = list(lines_of(hostile, NOW))
    assert lines[1:] == ["  [link=https://evil.example]Ready[/link]: pod said [2J plan free of charge"]
    out = Console(width=200, record=True, file=StringIO(), force_terminal=True)
    out.print(table_of([hostile], NOW))
    assert "[link=https://evil.example]Ready" in out.export_text()


def test_the_table_has_a_row_for_each() -> None:
    out = Console(width=200, record=True, file=StringIO())
    out.print(table_of([TRAINING, workspace(phase="Ready", step="Verify")], NOW))
    lines = out.export_text().splitlines()
    assert "33 % of 21" in lines[1] and "$0.31" in lines[1] and "5m" in lines[1]
    assert "Ready" in lines[2]


def test_what_it_costs_grows_with_the_clock() -> None:
    """The status is not written for every minute: it says what an hour adds."""
    written = {"spent": "1.00", "perHour": "3.60", "nodes": 2, "nodeSeconds": 100, "asOf": "2026-11-22T11:00:00Z"}
    serving = workspace(phase="Ready", cost=written)
    assert "  cost       7300 node-seconds so far, $4.60, $3.60 more every hour" in list(lines_of(serving, NOW))
    out = Console(width=200, record=True, file=StringIO())
    out.print(table_of([serving], NOW))
    assert "$4.60" in out.export_text()


def test_a_table_in_a_pipe_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    long = workspace(phase="Failed", reason="QuotaExceeded", step="ProvisionNodes")
    long["metadata"]["name"] = "n" * 63
    long["metadata"]["namespace"] = "a" * 63
    console().print(table_of([long], NOW))
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 2
    assert all(part in shown[1] for part in ("n" * 63, "a" * 63, "ProvisionNodes", "QuotaExceeded"))


FULL = json.loads(json.dumps(TRAINING["status"])) | {
    "deadline": "2026-11-22T13:00:00Z",
    "adapter": {"image": "registry/a:1", "digest": "sha256:1", "pinned": "registry/a@sha256:1", "bytes": 1},
    "cost": {"spent": "1.00", "perHour": "3.60", "nodes": 2, "nodeSeconds": 100, "asOf": "2026-11-22T11:00:00Z"},
}


def paths(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every field, and every part with all of its fields."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, child in value.items():
            yield from paths(child, (*path, key))


def without(value: Any, path: tuple[str, ...]) -> Any:
    first, *rest = path
    changed = {key: child for key, child in value.items() if key != first}
    return changed | ({first: without(value[first], tuple(rest))} if rest else {})


@pytest.mark.parametrize("path", list(paths(FULL)), ids=".".join)
def test_what_a_status_lacks_is_not_called_none(path: tuple[str, ...]) -> None:
    lacking = workspace(**without(FULL, path))
    out = Console(width=200, record=True, file=StringIO())
    out.print(table_of([lacking], NOW))
    assert "None" not in "\n".join(lines_of(lacking, NOW)) + out.export_text()


@pytest.mark.parametrize("part", list(FULL))
def test_a_part_with_nothing_in_it_is_not_called_none(part: str) -> None:
    empty = workspace(**FULL | {part: {} if isinstance(FULL[part], dict) else None})
    assert "None" not in "\n".join(lines_of(empty, NOW))


@pytest.mark.parametrize(("name", "namespace"), [("../../../nodes", None), ("one", "../other"), ("One", None)])
def test_what_is_no_name_is_said_to_be_none_and_nothing_is_asked(
    name: str,
    namespace: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "config"
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    users = [{"name": "u", "user": {}}]
    document = {"clusters": [cluster], "contexts": [context], "users": users, "current-context": "c"}
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "Config"} | document))
    monkeypatch.setenv("KUBECONFIG", str(file))
    assert run(name, namespace) == 2
    assert "lower-case letters" in capsys.readouterr().err
