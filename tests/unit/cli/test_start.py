"""How the command starts: what it imports, the forms of its exit codes, completion, and defaults written twice."""

import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from api.providers import PROVIDERS, Provider
from cli.main import main
from deploy.local.azure.faults import KINDS
from deploy.local.demo.demo import READY_S
from presets.plan.context import DEFAULT_REGION
from presets.plan.judge import DEFAULT_PROVIDER
from workflows.sweep.workflow import PAUSE_S

WORKSPACE = """\
apiVersion: kaito.sh/v1beta1
kind: Workspace
metadata: {name: phi}
resource:
  instanceType: Standard_NC24ads_A100_v4
  labelSelector: {matchLabels: {apps: phi}}
inference: {preset: {name: phi-4-mini-instruct}}
"""
CLIENTS = {
    "temporalio", "kubernetes", "azure", "aiohttp", "httpx", "httpx2", "huggingface_hub", "requests", "cryptography",
    "fastapi", "uvicorn", "prometheus_client", "google", "asyncio", "psutil",
}  # fmt: skip
RUN = """
import sys
from cli.main import main
code = main(sys.argv[1:])
print(code, *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def started(*words: str, **environment: str) -> tuple[int, str, set[str]]:
    """Exit code, output, and the top-level modules that were imported, of a fresh `modelyard WORDS`."""
    ended = subprocess.run(
        [sys.executable, "-c", RUN, *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    *output, last = ended.stdout.splitlines()
    code, *modules = last.split()
    return int(code), "\n".join(output), set(modules)


def test_validating_imports_no_client_and_nothing_that_draws(tmp_path: Path) -> None:
    file = tmp_path / "w.yaml"
    file.write_text(WORKSPACE)
    code, output, modules = started("validate", "-f", str(file))
    assert (code, output) == (0, f"{file}: document 1: Workspace default/phi: accepted")
    assert modules & (CLIENTS | {"rich", "markdown_it", "pygments", "activities"}) == set()


@pytest.mark.parametrize(
    "words",
    [(), ("validate",), ("local",), ("local", "up"), ("local", "fault", "add")],
    ids=lambda words: "-".join(words),
)
def test_help_imports_nothing_that_commands_need(words: tuple[str, ...]) -> None:
    code, output, modules = started(*words, "--help")
    assert code == 0 and "Usage: modelyard" in output
    assert modules & (CLIENTS | {"yaml", "presets", "activities"}) == set()


def test_the_command_alone_is_misuse_and_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    shown = "".join(capsys.readouterr())
    assert all(command in shown for command in ("demo", "local", "plan", "status", "sweep", "validate"))


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("local", "up", "--instance", "mars"),
        ("sweep", "--pause", "-1"),
        ("plan",),
        ("validate", "--odd"),
    ],
    ids=lambda words: words[0],
)
def test_misuse_is_2_and_is_printed_to_stderr(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == "" and "Usage: modelyard" in said.err


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("modelyard val", {"validate"}),
        ("modelyard local down --instance inj", {"injections"}),
        ("modelyard validate --provider ", set(PROVIDERS)),
        ("modelyard local fault add node", {kind for kind in KINDS if kind.startswith("node")}),
    ],
)
def test_the_shell_completes(line: str, offered: set[str]) -> None:
    words = line.split(" ")
    environment = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_MODELYARD_COMPLETE": "complete_bash"}
    ended = subprocess.run(
        [sys.executable, "-m", "cli.main"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert set(ended.stdout.split()) == offered


def test_defaults_are_those_of_what_is_run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for command, default in (
        ("plan", DEFAULT_REGION), ("validate", DEFAULT_PROVIDER), ("sweep", PAUSE_S), ("demo", f"{READY_S:g}"),
    ):  # fmt: skip
        assert main([command, "--help"]) == 0
        assert f"[default: {default}]" in capsys.readouterr().out
    assert get_args(Provider) == PROVIDERS
