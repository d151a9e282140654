"""What a run looks like: lines when piped, a table on a terminal, a failure with the end of its log."""

import io
import time
from pathlib import Path

from rich.console import Console

from deploy.local.stack.progress import LiveProgress, PlainProgress, explain, progress_for
from deploy.local.stack.runner import Step
from testing.deadlines import PATIENCE_S

ETCD = Step("etcd", lambda say: None)
API = Step("kube-apiserver", lambda say: None, needs=("etcd",))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_carry_event_step_and_time() -> None:
    out = io.StringIO()
    display = PlainProgress(out)
    display.started(ETCD)
    display.reported(ETCD, "waiting for its port")
    display.finished(ETCD, 1.25)
    lines = [" ".join(line.split("s] ")[1].split()) for line in out.getvalue().splitlines()]
    assert lines == ["start etcd", "... etcd waiting for its port", "done etcd in 1.2 s"]


def test_a_step_without_an_event_is_reported_as_running_until_it_ends() -> None:
    out = io.StringIO()
    with PlainProgress(out, silence_s=0.02) as display:
        display.started(API)
        display.reported(ETCD, "building")
        display.finished(API, 1.0)
        ends = time.monotonic() + PATIENCE_S
        while out.getvalue().count("still    etcd                   building\n") < 2:
            assert time.monotonic() < ends, out.getvalue()
            time.sleep(0.01)
        display.finished(ETCD, 2.0)
        reported = out.getvalue()
        time.sleep(0.1)
    assert out.getvalue() == reported
    assert "still    kube-apiserver" not in reported.partition("done     kube-apiserver")[2]


def test_a_failure_is_explained_with_the_end_of_the_steps_log(tmp_path: Path) -> None:
    log = tmp_path / "etcd.log"
    log.write_text("all well\nno space left on device\n")
    out = io.StringIO()
    PlainProgress(out).failed(Step("etcd", lambda say: None, log=log), 2.0, RuntimeError("etcd ended"))
    assert "FAILED   etcd" in out.getvalue()
    for part in ("etcd ended", f"log: {log}", "  | no space left on device"):
        assert part in out.getvalue()


def test_a_reason_that_names_the_log_is_not_followed_by_it_again(tmp_path: Path) -> None:
    log = tmp_path / "etcd.log"
    log.write_text("line\n")
    reason = f"etcd ended; log: {log}\n  | line"
    assert explain(Step("etcd", lambda say: None, log=log), RuntimeError(reason)) == reason


def test_a_mistake_of_ours_names_its_type() -> None:
    assert explain(ETCD, KeyError("address")) == "KeyError: 'address'"


def test_the_table_shows_every_step_in_its_state() -> None:
    console = Console(file=Terminal(), width=100, force_terminal=True, color_system=None)
    display = LiveProgress([ETCD, API], console)
    with display:
        display.started(ETCD)
        display.reported(ETCD, "waiting for its port")
        console.print(display._table())
        display.finished(ETCD, 1.25)
        display.started(API)
        display.failed(API, 3.0, RuntimeError("[Errno 98] port 16443 is taken"))
    assert isinstance(console.file, Terminal)
    text = console.file.getvalue()
    for part in ("waiting for its port", "✓ etcd", "✗ kube-apiserver", "1 of 2 done", "[Errno 98] port 16443 is taken"):
        assert part in text


def test_the_display_follows_from_the_stream() -> None:
    assert isinstance(progress_for([ETCD], Terminal()), LiveProgress)
    assert isinstance(progress_for([ETCD], io.StringIO()), PlainProgress)
