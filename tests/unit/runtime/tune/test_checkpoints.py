"""A checkpoint that was not finished is never gone on from, and the last good one is never removed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.tune.train.checkpoints import MARKER, complete_checkpoints, mark_complete, remove_old, remove_unusable


def a_checkpoint(parent: Path, step: int, *, identity: str = "mine", marked: bool = True) -> Path:
    folder = parent / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "optimizer.pt").write_bytes(b"x" * 100)
    (folder / "adapter.safetensors").write_bytes(b"y" * 10)
    if marked:
        mark_complete(folder, identity)
    return folder


def steps(parent: Path, identity: str = "mine") -> list[int]:
    return [checkpoint.step for checkpoint in complete_checkpoints(parent, identity)]


def test_the_newest_is_last_by_number_and_not_by_name(tmp_path: Path) -> None:
    for step in (90, 100, 1000):
        a_checkpoint(tmp_path, step)
    assert steps(tmp_path) == [90, 100, 1000]


def test_where_nothing_is_there_is_no_checkpoint(tmp_path: Path) -> None:
    assert steps(tmp_path / "nothing") == []


def spoil_by_cutting(folder: Path) -> None:
    (folder / "optimizer.pt").write_bytes(b"x" * 99)


def spoil_by_losing(folder: Path) -> None:
    (folder / "adapter.safetensors").unlink()


def spoil_the_marker(folder: Path) -> None:
    (folder / MARKER).write_text('{"identity": "mi')


@pytest.mark.parametrize("spoil", [spoil_by_cutting, spoil_by_losing, spoil_the_marker])
def test_a_folder_that_lacks_something_is_none(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    a_checkpoint(tmp_path, 10)
    spoil(a_checkpoint(tmp_path, 20))
    assert steps(tmp_path) == [10]


def test_what_was_being_written_is_removed_and_so_is_what_belongs_to_another_training(tmp_path: Path) -> None:
    a_checkpoint(tmp_path, 10)
    a_checkpoint(tmp_path, 20, identity="another")
    a_checkpoint(tmp_path, 30, marked=False)
    (tmp_path / "rows").mkdir()
    assert remove_unusable(tmp_path, "mine") == ["checkpoint-20", "checkpoint-30"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["checkpoint-10", "rows"]


def test_old_ones_go_only_when_newer_ones_are_complete(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        a_checkpoint(tmp_path, step)
    a_checkpoint(tmp_path, 40, marked=False)
    remove_old(tmp_path, "mine", keep=1)
    assert steps(tmp_path) == [30]
    assert (tmp_path / "checkpoint-40").exists()


def test_the_best_one_stays(tmp_path: Path) -> None:
    best = a_checkpoint(tmp_path, 10)
    for step in (20, 30):
        a_checkpoint(tmp_path, step)
    remove_old(tmp_path, "mine", keep=1, best=best)
    assert steps(tmp_path) == [10, 30]
