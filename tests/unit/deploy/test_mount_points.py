"""Folders that stacks share: there for whoever mounts, whatever others do at the same time, and gone after the last."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.local.host import mount_points


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """The same rules over folders of this test's own."""
    found = {name: tmp_path / "machine" / name.lower() for name in ("KUBELET", "CONTAINERD")}
    for name, path in (found | {"GUARD": tmp_path / "guard"}).items():
        monkeypatch.setattr(mount_points, name, path)
    return list(found.values())


def test_the_last_stack_removes_what_was_created_and_nothing_else(folders: list[Path], tmp_path: Path) -> None:
    folders[0].mkdir(parents=True)
    with mount_points.made(), mount_points.made():
        mount_points.remove_unused()
        assert all(folder.is_dir() for folder in folders)
    mount_points.remove_unused()
    assert [folder.is_dir() for folder in folders] == [True, False]
    assert not (tmp_path / "guard").exists()
    mount_points.remove_unused()


def test_a_folder_with_something_in_it_stays(folders: list[Path]) -> None:
    with mount_points.made():
        (folders[1] / "file").touch()
    mount_points.remove_unused()
    assert [folder.is_dir() for folder in folders] == [False, True]


def test_stacks_that_come_and_go_at_the_same_time_never_lose_a_folder_and_leave_none(
    folders: list[Path], tmp_path: Path
) -> None:
    def come_and_go(number: int) -> int:
        seen = 0
        for _ in range(200):
            with mount_points.made():
                time.sleep(0.0001 * number)
                seen += all(folder.is_dir() for folder in folders)
            mount_points.remove_unused()
        return seen

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(come_and_go, range(4))) == [200] * 4
    mount_points.remove_unused()
    assert not any(folder.exists() for folder in folders)
    assert not (tmp_path / "guard").exists()
