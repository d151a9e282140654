"""Whether a build of images begins where it would run out of disk after twenty minutes."""

from pathlib import Path

import pytest

from deploy.local.images.buildah import BuildContext
from deploy.local.images.room import CACHE_GIB, GIB, TEMPORARY_GIB, NoRoom, check_room, room_problem
from deploy.local.images.wheels import folder_of_wheels

CACHE, TEMPORARY = CACHE_GIB["cuda"] * GIB, TEMPORARY_GIB["cuda"] * GIB


def test_one_disk_has_to_hold_both() -> None:
    assert room_problem("cuda", CACHE + TEMPORARY, 0, 0, together=True) == ""
    problem = room_problem("cuda", CACHE + TEMPORARY - GIB, 0, 0, together=True)
    assert "48 GiB are free" in problem and "49 GiB are needed" in problem and "XDG_CACHE_HOME" in problem


def test_two_disks_have_to_hold_their_own() -> None:
    assert room_problem("cuda", CACHE, TEMPORARY, 0, together=False) == ""
    assert "XDG_CACHE_HOME" in room_problem("cuda", CACHE - GIB, TEMPORARY, 0, together=False)
    problem = room_problem("cuda", CACHE, TEMPORARY - GIB, 0, together=False)
    assert "8 GiB are free for temporary files" in problem and "TMPDIR" in problem


def test_what_an_earlier_build_has_left_is_not_needed_again() -> None:
    assert room_problem("cuda", CACHE // 2, TEMPORARY, CACHE // 2, together=False) == ""


def test_images_for_gpus_need_more_than_those_for_processors() -> None:
    free = (CACHE_GIB["cpu"] + TEMPORARY_GIB["cpu"]) * GIB
    assert room_problem("cpu", free, 0, 0, together=True) == ""
    assert room_problem("cuda", free, 0, 0, together=True)


def test_the_disk_is_looked_at_before_the_cache_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = BuildContext(tmp_path / "cache", tmp_path / "images.log")
    monkeypatch.setitem(CACHE_GIB, "cuda", 2**30)  # more than any disk has
    with pytest.raises(NoRoom, match="are needed to build images for cuda"):
        check_room(context, "cuda")
    assert not context.cache.exists()


def test_what_is_left_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = BuildContext(tmp_path, tmp_path / "images.log")
    folder_of_wheels(tmp_path).mkdir()
    context.storage.mkdir(parents=True)
    with (context.storage / "layer").open("wb") as layer:
        layer.truncate(2**12 * GIB)  # which takes no room
    monkeypatch.setitem(CACHE_GIB, "cuda", 2**11)
    check_room(context, "cuda")
