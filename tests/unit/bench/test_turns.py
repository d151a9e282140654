"""Programs that take turns: only one runs at a time, and none outlives the comparison."""

import sys
from itertools import pairwise
from pathlib import Path

import pytest

from bench.tuning.turns import Program, ProgramEnded, in_turn

# Notes when it was at work in one file and its steps in another.
WORK = """
import sys, time
for step in range(int(sys.argv[3])):
    for _ in range(10):
        time.sleep(0.01)
        with open(sys.argv[2], "a") as file:
            file.write(f"{sys.argv[1]}\\n")
    with open(sys.argv[1], "a") as file:
        file.write("step\\n")
print("done")
"""


def a_program(folder: Path, name: str, *, steps: int = 100) -> Program:
    argv = [sys.executable, "-c", WORK, str(folder / name), str(folder / "work"), str(steps)]
    return Program(argv, folder / name, folder / f"{name}.log", {})


def test_a_step_of_one_is_followed_by_a_step_of_the_next(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    found = in_turn({name: a_program(tmp_path, name) for name in names}, 3, step_s=30)
    assert {name: len(seconds) for name, seconds in found.items()} == dict.fromkeys(names, 3)
    assert all(second >= 0.08 for seconds in found.values() for second in seconds)
    at_work = [Path(line).name for line in (tmp_path / "work").read_text().split()]
    changes = [at_work[0], *(now for before, now in pairwise(at_work) if now != before)]
    assert changes == ["a", "b", "c"] * 3


def test_none_is_left_afterwards(tmp_path: Path) -> None:
    in_turn({"a": a_program(tmp_path, "a"), "b": a_program(tmp_path, "b")}, 1, step_s=30)
    assert not [file for file in Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path).encode() in content(file)]


def test_a_program_that_ends_early_is_named_with_its_last_lines(tmp_path: Path) -> None:
    with pytest.raises(ProgramEnded, match="ended with 0: done"):
        in_turn({"a": a_program(tmp_path, "a", steps=1)}, 2, step_s=30)


def test_a_program_without_steps_runs_into_the_deadline(tmp_path: Path) -> None:
    with pytest.raises(ProgramEnded, match=r"no step within 0\.05 s"):
        in_turn({"a": a_program(tmp_path, "a", steps=100_000)}, 1, step_s=0.05)


def content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
