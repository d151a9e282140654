"""Today's workflow code goes the way that every recorded history went: no running Workspace is broken by an upgrade."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from worker.plugin import plugin
from workflows.workspace import WorkspaceWorkflow

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


@pytest.mark.parametrize("sandboxed", [True, False], ids=["sandboxed", "as in production"])
@pytest.mark.parametrize("file", HISTORIES, ids=lambda file: file.stem)
async def test_a_recorded_history_replays(file: Path, sandboxed: bool) -> None:
    replayer = Replayer(workflows=[WorkspaceWorkflow], plugins=[plugin(sandboxed=sandboxed)])
    await replayer.replay_workflow(WorkflowHistory.from_json(f"workspace/replay/{file.stem}", file.read_text()))


def test_every_scenario_is_recorded() -> None:
    from tests.replay.record import SCENARIOS

    recorded = {file.stem.split("-", 1)[1] for file in HISTORIES}
    assert recorded == {scenario.__name__.replace("_", "-") for scenario in SCENARIOS}
