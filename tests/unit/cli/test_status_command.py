"""`modelyard status`: what a person reads of a Workspace."""

import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

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
    console = Console(width=200, record=True, file=StringIO(), force_terminal=True)
    console.print(table_of([hostile], NOW))
    assert "[link=https://evil.example]Ready" in console.export_text()


def test_the_table_has_a_row_for_each() -> None:
    console = Console(width=200, record=True, file=StringIO())
    console.print(table_of([TRAINING, workspace(phase="Ready", step="Verify")], NOW))
    lines = console.export_text().splitlines()
    assert "33 % of 21" in lines[1] and "$0.31" in lines[1] and "5m" in lines[1]
    assert "Ready" in lines[2]


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
