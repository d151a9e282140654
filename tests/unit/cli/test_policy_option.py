"""`plan` and `validate` judge by the policy of `--policy`, and name what is wrong with it."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli import plan, validate
from cli.exit_codes import GOOD, MISUSE, NO
from testing.workspaces import workspace

H100 = workspace("w", preset="phi-4", instance_type="Standard_NC40ads_H100_v5")


@pytest.fixture
def file(tmp_path: Path) -> str:
    made = tmp_path / "workspace.json"
    made.write_text(json.dumps(H100))
    return str(made)


def run_validate(file: str, policy: str | None) -> int:
    options: dict[str, Any] = {"old": None, "provider": "aks", "allowed_hosts": (), "as_json": False}
    return validate.run([file], **options, policy_file=policy)


def run_plan(file: str, policy: str | None) -> int:
    options: dict[str, Any] = {"region": "eastus", "provider": "aks", "machine_type": None, "hub": None}
    return plan.run(file, as_json=False, **options, policy_file=policy)


@pytest.mark.parametrize("run", [run_validate, run_plan])
def test_what_the_policy_refuses_is_told_offline(
    run: Any, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("defaults: {machineTypes: ['*_A100_v4']}\ncontact: the platform team\n")
    assert run(file, None) == GOOD
    assert run(file, str(policy)) == NO
    assert "not Standard_NC40ads_H100_v5. Ask the platform team" in capsys.readouterr().out


@pytest.mark.parametrize("run", [run_validate, run_plan])
def test_a_policy_that_cannot_be_read_is_misuse(
    run: Any, file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("defaults: {nodez: 3}")
    assert run(file, str(policy)) == MISUSE
    assert "defaults.nodez: is not a key of the policy" in capsys.readouterr().err
    assert run(file, str(tmp_path / "none")) == MISUSE
