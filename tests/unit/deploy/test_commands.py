"""Commands that end: their log, their failure's message, and stopping them."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.local.host import commands
from deploy.local.host.commands import CommandFailed, output_of, run_logged, stop_commands, tail
from deploy.local.host.processes import find_process, is_running
from testing.deadlines import PATIENCE_S


def test_output_goes_to_the_log_after_the_command_line(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "a.log"
    run_logged(["sh", "-c", "echo out; echo err >&2"], log, deadline_s=PATIENCE_S)
    assert log.read_text() == "\n$ sh -c 'echo out; echo err >&2'\nout\nerr\n"


def test_stdin_is_what_was_given(tmp_path: Path) -> None:
    run_logged(["cat"], tmp_path / "log", deadline_s=PATIENCE_S, stdin="kind: Namespace")
    assert "kind: Namespace" in (tmp_path / "log").read_text()


def test_a_failure_names_command_code_last_lines_log_and_fix(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(CommandFailed) as failure:
        run_logged(["sh", "-c", "seq 100; exit 3"], log, deadline_s=PATIENCE_S, fix="count less")
    message = str(failure.value)
    for part in ("sh -c", "exit code 3", "  | 100", str(log), "Fix: count less"):
        assert part in message
    assert "  | 85\n" not in message


def test_a_command_past_its_deadline_is_ended(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"ran longer than 0\.2 s"):
        run_logged(["sleep", "60"], tmp_path / "log", deadline_s=0.2)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="no program 'no-such-program'"):
        run_logged(["no-such-program"], tmp_path / "log", deadline_s=1)
    with pytest.raises(CommandFailed, match="no program 'no-such-program'"):
        output_of(["no-such-program"], deadline_s=1)


def test_a_question_gets_stdout_and_a_failure_stderr() -> None:
    assert output_of([sys.executable, "-c", "print('yes')"], deadline_s=PATIENCE_S) == "yes\n"
    with pytest.raises(CommandFailed, match="no such thing"):
        output_of(["sh", "-c", "echo no such thing >&2; exit 1"], deadline_s=PATIENCE_S)


def alone(act: Callable[[Path], None], tmp_path: Path) -> None:
    """Carries the act out in a process of its own: stopping ends every child, also the servers that tests share."""
    process = multiprocessing.get_context("spawn").Process(target=act, args=(tmp_path,))
    process.start()
    process.join(PATIENCE_S)
    try:
        assert process.exitcode == 0, "its traceback is in stderr"
    finally:
        process.kill()
        process.join()


def in_background(argv: list[str], log: Path, **options: Any) -> tuple[threading.Thread, list[CommandFailed]]:
    """Runs the command in a thread; the list has its failure, if any, when the thread has ended."""
    caught: list[CommandFailed] = []

    def build() -> None:
        try:
            run_logged(argv, log, deadline_s=PATIENCE_S, **options)
        except CommandFailed as failure:
            caught.append(failure)

    thread = threading.Thread(target=build)
    thread.start()
    return thread, caught


def await_text(written: Path, text: str, thread: threading.Thread) -> None:
    while not (written.exists() and text in written.read_text()):
        assert thread.is_alive()
        thread.join(0.02)


def stop_a_command_with_descendants(folder: Path) -> None:
    written = folder / "pid"
    thread, caught = in_background(["sh", "-c", f"sh -c 'sleep 60 & echo $! > {written}; wait' & wait"], folder / "log")
    await_text(written, "\n", thread)
    grandchild = find_process(int(written.read_text()))
    assert grandchild and is_running(grandchild)
    stop_commands()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert "exit code -15" in str(caught[0])
    assert not is_running(grandchild)


def stop_a_deaf_command(folder: Path) -> None:
    commands.TERM_S = 0.2
    deaf = ["sh", "-c", "trap '' TERM; echo started; while :; do sleep 0.1; done"]
    thread, caught = in_background(deaf, folder / "log")
    await_text(folder / "log", "\nstarted", thread)
    stop_commands()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert "exit code -9" in str(caught[0])


def stop_beside_a_daemon(_: Path) -> None:
    daemon = os.posix_spawn("/bin/sleep", ["sleep", "60"], {}, setsid=True)
    try:
        stop_commands()
        assert os.waitpid(daemon, os.WNOHANG) == (0, 0)
    finally:
        os.kill(daemon, signal.SIGKILL)
        os.waitpid(daemon, 0)


def stop_beside_a_shielded_command(folder: Path) -> None:
    log, go_on = folder / "log", folder / "go on"
    shielded = ["sh", "-c", f"echo started; until [ -e '{go_on}' ]; do sleep 0.05; done; echo finished"]
    thread, caught = in_background(shielded, log, shielded=True)
    await_text(log, "\nstarted", thread)
    stop_commands()
    go_on.touch()
    thread.join(PATIENCE_S)
    assert not caught
    assert log.read_text().endswith("finished\n")


def test_stopping_ends_running_commands_with_all_their_descendants(tmp_path: Path) -> None:
    alone(stop_a_command_with_descendants, tmp_path)


def test_a_command_that_ignores_the_stop_is_killed(tmp_path: Path) -> None:
    alone(stop_a_deaf_command, tmp_path)


def test_a_daemon_in_its_own_session_is_not_stopped(tmp_path: Path) -> None:
    alone(stop_beside_a_daemon, tmp_path)


def test_a_shielded_command_is_not_stopped(tmp_path: Path) -> None:
    alone(stop_beside_a_shielded_command, tmp_path)


def test_the_tail_of_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert tail(tmp_path / "none") == ""
