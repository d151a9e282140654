"""Argo CD's judgement of a Workspace, by the script that is given to it, in the Lua that it runs (5.1)."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest
import yaml
from lupa import lua51

from api.resource.conditions import ConditionType, set_condition
from api.resource.status import Phase, WorkspaceStatus
from deploy.local.cluster.resources import DEPLOY

PATCH: Final = DEPLOY / "argocd" / "workspace-health.yaml"
JUDGED: Final = {
    Phase.PENDING: "Progressing",
    Phase.PREFLIGHT: "Progressing",
    Phase.PROVISIONING: "Progressing",
    Phase.DEPLOYING: "Progressing",
    Phase.VERIFYING: "Progressing",
    Phase.READY: "Healthy",
    Phase.NOT_READY: "Degraded",
    Phase.FETCHING_DATA: "Progressing",
    Phase.TRAINING: "Progressing",
    Phase.PUBLISHING: "Progressing",
    Phase.SUCCEEDED: "Healthy",
    Phase.PAUSED: "Suspended",
    Phase.FAILED: "Degraded",
    Phase.CONTROLLER_ERROR: "Degraded",
    Phase.DELETING: "Progressing",
}


def judged(status: Any, *, deleted: bool = False, generation: int = 2) -> tuple[str, str]:
    """Health and message, as Argo CD reads them from the script."""
    (script,) = yaml.safe_load(PATCH.read_text())["data"].values()
    lua = lua51.LuaRuntime(register_eval=False, register_builtins=False)
    metadata: dict[str, Any] = {"generation": generation} | ({"deletionTimestamp": "now"} if deleted else {})
    obj = lua.table_from({"metadata": metadata} | ({"status": status} if status else {}), recursive=True)
    found = lua.eval(f"function(obj)\n{script}\nend")(obj)
    return found["status"], found["message"]


def status_in(phase: Phase, **others: Any) -> dict[str, Any]:
    holds = phase in (Phase.READY, Phase.SUCCEEDED)
    return WorkspaceStatus(
        phase=phase,
        message="said",
        observed_generation=2,
        conditions=conditions(ConditionType.WORKSPACE_SUCCEEDED, holds),
        **others,
    ).wire()


def conditions(type_: ConditionType, holds: bool, message: str = "why") -> Any:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    truth: Any = "True" if holds else "False"
    return set_condition([], type_, status=truth, reason="r", message=message, now=now, observed_generation=2)


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_is_judged(phase: Phase) -> None:
    assert judged(status_in(phase)) == (JUDGED[phase], "said")


def test_one_that_nobody_has_looked_at_is_not_healthy() -> None:
    assert judged(None)[0] == "Progressing"


def test_an_edit_that_nobody_has_looked_at_is_not_healthy() -> None:
    assert judged(status_in(Phase.READY), generation=3) == (
        "Progressing",
        "the newest edit has not been looked at yet",
    )


def test_a_refused_edit_of_what_serves_is_seen() -> None:
    status = status_in(Phase.READY)
    (refused,) = WorkspaceStatus(conditions=conditions(ConditionType.PREFLIGHT_PASSED, False, "no quota")).wire()[
        "conditions"
    ]
    status["conditions"].append(refused)
    assert judged(status) == ("Degraded", "no quota")


def test_one_that_is_being_deleted_is_on_its_way() -> None:
    assert judged(status_in(Phase.FAILED), deleted=True)[0] == "Progressing"


def test_kaitos_own_status_is_judged_by_its_conditions() -> None:
    kaitos = {"conditions": [{"type": "WorkspaceSucceeded", "status": "True", "message": "workspace succeeds"}]}
    assert judged(kaitos) == ("Healthy", "workspace succeeds")


def test_the_script_is_for_workspaces() -> None:
    assert list(yaml.safe_load(PATCH.read_text())["data"]) == ["resource.customizations.health.kaito.sh_Workspace"]
