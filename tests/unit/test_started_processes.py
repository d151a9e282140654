"""Which command lines count as what, and that processes of the run alone do."""

import subprocess
import sys

import pytest

from tests.started_processes import MARK, StartedProcesses, program_of

SLEEPER = "import sys, time; print('up', flush=True); time.sleep(600)"


@pytest.mark.parametrize(
    ("line", "program"),
    [
        ("/somewhere/bin/kube-apiserver --etcd-servers=http://127.0.0.1:1", "kube-apiserver"),
        ("/somewhere/bin/temporal server start-dev --headless", "Temporal server"),
        ("/somewhere/bin/temporal workflow list", ""),
        ("python -m watcher", "stack (its watcher)"),
        ("python -m runtime.serve.server --config serve.json", "vLLM"),
        ("python -m", ""),
        ("", ""),
    ],
)
def test_a_command_line_counts_as_its_program(line: str, program: str) -> None:
    assert program_of(line.split()) == program


def test_a_process_that_the_run_starts_is_counted_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = StartedProcesses(lambda argv: "sleeper" if SLEEPER in argv else "")
    monkeypatch.delenv(MARK, raising=False)
    with subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE) as stranger:
        monkeypatch.setenv(MARK, plugin.mark)
        with subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE) as ours:
            for process in (stranger, ours):
                assert process.stdout and process.stdout.readline() == b"up\n"
            plugin.look()
            plugin.look()
            for process in (stranger, ours):
                process.kill()
    assert plugin.counts() == {"sleeper": 1}
