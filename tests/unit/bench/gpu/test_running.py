"""Parts are run in order and apart: one that fails, lacks a package or comes too late costs no other."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench.gpu.machine.place import Place
from bench.gpu.machine.processes import Deadline, PartFailed, Program, run, running
from bench.gpu.machine.sizes import Device
from bench.gpu.machine.weights import Weights
from bench.gpu.parts.adapting import difference, differs
from bench.gpu.parts.running import NOTHING, Part, run_parts
from testing.deadlines import PATIENCE_S

PLACE = Place("cpu", None, Weights(Path("/nowhere"), "org/model", ""), Path("/nowhere"))
LONG: Mapping[Device, float] = {"cpu": PATIENCE_S, "cuda": PATIENCE_S}


def good(place: Place, deadline: Deadline) -> dict[str, float]:
    return {"start_s": deadline.seconds}


def bad(place: Place, deadline: Deadline) -> dict[str, float]:
    raise PartFailed("the server ended with 1")


def unforeseen(place: Place, deadline: Deadline) -> dict[str, float]:
    return {"start_s": dict[str, float]()["nothing"]}


def test_a_part_that_fails_is_reported_and_the_others_go_on() -> None:
    parts = [Part("bad", NOTHING, LONG, bad), Part("odd", NOTHING, LONG, unforeseen), Part("good", NOTHING, LONG, good)]
    found = list(run_parts(parts, PLACE, {}, Deadline.after(10 * PATIENCE_S)))
    assert [(one.part, one.state, one.reason) for one in found] == [
        ("bad", "failed", "the server ended with 1"),
        ("odd", "failed", "KeyError: 'nothing'"),
        ("good", "done", ""),
    ]
    assert found[2].figures == {"start_s": PATIENCE_S}


def test_a_part_without_its_packages_is_not_run() -> None:
    (found,) = run_parts(
        [Part("serve", {"cpu": ("vllm",), "cuda": ()}, LONG, bad)], PLACE, {"torch": "2"}, Deadline.after(PATIENCE_S)
    )
    assert found.state == "not run" and "lacks vllm;" in found.reason


def test_what_does_not_fit_into_the_whole_time_is_not_run_and_the_last_one_is_cut_short() -> None:
    (late,) = run_parts([Part("serve", NOTHING, LONG, bad)], PLACE, {}, Deadline.after(0))
    assert (late.state, late.reason) == ("not run", "the 0 s for all parts are over")
    (short,) = run_parts([Part("serve", NOTHING, LONG, good)], PLACE, {}, Deadline.after(PATIENCE_S / 2))
    assert short.figures["start_s"] <= PATIENCE_S / 2


def a_program(folder: Path, code: str) -> Program:
    return Program([sys.executable, "-c", code], folder / "log", {})


def test_a_program_that_fails_is_an_error_with_its_last_output(tmp_path: Path) -> None:
    with pytest.raises(PartFailed, match=r"ended with 3: no such model"):
        run(a_program(tmp_path, "print('no such model'); raise SystemExit(3)"), Deadline.after(PATIENCE_S))


def test_the_first_error_in_a_long_log_is_part_of_the_message(tmp_path: Path) -> None:
    code = "print('x\\nValueError: the root cause\\n' + 'later ' * 1000); raise SystemExit(1)"
    with pytest.raises(PartFailed, match=r"ended with 1: ValueError: the root cause \.\.\. .*later$"):
        run(a_program(tmp_path, code), Deadline.after(PATIENCE_S))


def test_a_program_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    ended = a_program(tmp_path, "print('done')")
    with running(ended) as program, pytest.raises(PartFailed, match="ended with 0 before it answers: done"):
        program.wait_until(lambda: False, "it answers", Deadline.after(PATIENCE_S))


def test_a_program_has_until_its_deadline_and_nothing_of_it_is_left(tmp_path: Path) -> None:
    stays = "import signal; signal.pause()"
    beside = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {stays!r}, {str(tmp_path)!r}]).wait()"
    with running(a_program(tmp_path, beside)) as program:
        program.wait_until(lambda: len(processes_of(tmp_path)) == 2, "it starts another", Deadline.after(PATIENCE_S))
        with pytest.raises(PartFailed, match="not within 0 s: it answers"):
            program.wait_until(lambda: False, "it answers", Deadline.after(0))
    with running(a_program(tmp_path, "pass")) as program:
        program.wait(Deadline.after(PATIENCE_S))
    assert processes_of(tmp_path) == []


def processes_of(folder: Path) -> list[str]:
    """Process ids by a folder in their command line; one that ends meanwhile is none."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in file.read_bytes():
                found.append(file.parent.name)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


@pytest.mark.parametrize(
    ("found", "noise", "clear"), [(0.6, 0.0, True), (0.001, 0.0, False), (0.5, 0.1, False), (1.0, 0.1, True)]
)
def test_an_adapter_must_change_more_than_rounding_does(found: float, noise: float, clear: bool) -> None:
    assert differs(found, noise) is clear


def test_the_largest_difference_of_any_token_counts() -> None:
    assert difference([-1.0, -2.0, -3.0], [-1.1, -2.5, -3.0]) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="shorter"):
        difference([-1.0, -2.0], [-1.0])
