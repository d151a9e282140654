"""`modelyard local fault` against a running ARM emulator: what it prints, and its exit codes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from deploy.local.azure.faults import KINDS
from deploy.local.cluster.certificates import ensure_authority
from deploy.local.layout import Layout
from deploy.local.stack.choices import Choices, remember

# The command finds an ARM emulator where its instance's layout says; no other test serves on this one's loopback port.
INSTANCE = "arm"
Command = Callable[..., int]


def run(*words: str) -> int:
    """The exit code of `modelyard local fault WORDS`."""
    return main(["local", "fault", *words, *(() if words[0] == "kinds" else ("--instance", INSTANCE))])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def arm(new_emulator: Any, home: Path) -> Any:
    """An ARM emulator where a stack without nodes of its own would have it."""
    layout = Layout.of(INSTANCE, with_nodes=False)
    remember(layout, Choices(kubeconfig=home / "kubeconfig"))
    return new_emulator(home=home, instance=INSTANCE, port=layout.ports.arm)


async def test_a_fault_is_added_listed_applied_and_cleared(
    arm: Any, pools: Any, error_of: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("add", "quota-exceeded", "--times", "2", "--pool", "ws*", "--variant", "nested") == 0
    assert capsys.readouterr().out == "fault-1: quota-exceeded times=2 pool=ws* variant=nested\n"
    async with arm.azure() as client:
        with pytest.raises(Exception, match="QuotaExceeded"):
            await type(pools)(client).begin("ws1")
    assert run("list", "--json") == 0
    [listed] = json.loads(capsys.readouterr().out)
    assert (listed["kind"], listed["times"]) == ("quota-exceeded", 1)
    assert run("clear", "fault-1") == 0
    assert run("list") == 0
    assert capsys.readouterr().out == "cleared 1\nno faults are set\n"


async def test_settings_are_changed_while_it_runs(arm: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("set", "create_seconds=0.5", "family_limits={StandardNVADSA10v5Family: 36}") == 0
    settings = json.loads(capsys.readouterr().out)
    assert (settings["create_seconds"], settings["family_limits"]) == (0.5, {"StandardNVADSA10v5Family": 36})
    assert run("set", "create_seconds") == 2
    assert run("set", "create_seconds=-1") == 1
    assert "create_seconds" in capsys.readouterr().err


async def test_a_refused_fault_is_printed_with_exit_code_1(arm: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("add", "quota-exceeded", "--variant", "odd") == 1
    assert run("clear", "fault-9") == 1
    said = capsys.readouterr().err
    assert "no variant 'odd'" in said and "no fault 'fault-9' is set" in said


def test_an_unknown_kind_is_misuse_and_names_the_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("add", "meteor") == 2
    assert "quota-exceeded" in capsys.readouterr().err


def test_every_kind_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("kinds") == 0
    said = capsys.readouterr().out
    assert all(f"{name}\n    {kind.imitates}" in said for name, kind in KINDS.items())


def test_without_a_stack_the_message_names_the_command_that_starts_one(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("list") == 1
    assert "modelyard local up" in capsys.readouterr().err


def test_a_stopped_emulator_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout = Layout.of(INSTANCE, with_nodes=False)
    remember(layout, Choices(kubeconfig=home / "kubeconfig"))
    ensure_authority(layout)
    (layout.state / "azure-token").write_text("token")
    assert run("list") == 1
    assert f"does not answer at {layout.arm_url}" in capsys.readouterr().err
