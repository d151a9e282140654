"""Layers of others are unpacked within bounds: nothing gets out of the folder, and nothing is silently left out."""

import gzip
import io
import tarfile
from pathlib import Path

import pyarrow as pa
import pytest

from runtime.data.archives import HEADER_MAX, UnsafeArchive
from runtime.data.manifests import chosen, layers_of
from runtime.data.unpacking import SizeLimitExceeded, Unpacking, data_path

Entries = list[tuple[str, bytes | str]]


def layer(folder: Path, *entries: tuple[str, bytes], links: tuple[tuple[str, bytes, str], ...] = ()) -> Path:
    file = folder / f"layer-{len(list(folder.iterdir()))}"
    with tarfile.open(file, "w") as archive:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, kind, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    return file


@pytest.fixture
def unpacking(tmp_path: Path) -> Unpacking:
    (tmp_path / "out").mkdir()
    return Unpacking(tmp_path / "out", room=10_000, files=10, wrote=lambda count: None)


def contents(unpacking: Unpacking) -> dict[str, bytes]:
    files = (file for file in unpacking.folder.rglob("*") if file.is_file())
    return {str(file.relative_to(unpacking.folder)): file.read_bytes() for file in files}


def test_only_what_is_below_data_comes(unpacking: Unpacking, tmp_path: Path) -> None:
    unpacking.layer(
        layer(tmp_path, ("bin/sh", b"no"), ("data/a.csv", b"a"), ("./data/sub/b.csv", b"b"), ("/data/c", b"c"))
    )
    assert contents(unpacking) == {"a.csv": b"a", "sub/b.csv": b"b", "c": b"c"}


@pytest.mark.parametrize("packed", ["gzip", "zstd"])
def test_compressed_layers_are_read(unpacking: Unpacking, tmp_path: Path, packed: str) -> None:
    plain = layer(tmp_path, ("data/a.csv", b"a" * 5000)).read_bytes()
    file = tmp_path / "packed"
    file.write_bytes(gzip.compress(plain) if packed == "gzip" else bytes(pa.compress(plain, "zstd", asbytes=True)))
    unpacking.layer(file)
    assert contents(unpacking) == {"a.csv": b"a" * 5000}


def test_a_later_layer_replaces_and_removes(unpacking: Unpacking, tmp_path: Path) -> None:
    unpacking.layer(layer(tmp_path, ("data/a", b"1"), ("data/b", b"1"), ("data/c/d", b"1"), ("data/e/f", b"1")))
    second = (("data/a", b"2"), ("data/.wh.b", b""), ("data/c/.wh..wh..opq", b""), ("data/c/g", b"2"), ("data/e", b"2"))
    unpacking.layer(layer(tmp_path, *second))
    assert contents(unpacking) == {"a": b"2", "c/g": b"2", "e": b"2"}


@pytest.mark.parametrize("name", ["data/.wh.", "data/.wh..", "data/.wh...", "data/sub/.wh..."])
def test_a_whiteout_does_not_remove_the_folder_above(unpacking: Unpacking, tmp_path: Path, name: str) -> None:
    (tmp_path / "beside").write_text("kept")
    with pytest.raises(UnsafeArchive, match="names nothing that a layer may remove"):
        unpacking.layer(layer(tmp_path, ("data/sub/a", b"1"), (name, b"")))
    assert (tmp_path / "beside").exists() and contents(unpacking) == {"sub/a": b"1"}


def test_a_whiteout_is_about_lower_layers_only(unpacking: Unpacking, tmp_path: Path) -> None:
    unpacking.layer(layer(tmp_path, ("data/a", b"1"), ("data/c/old", b"1"), ("data/c/d/old", b"1"), ("data/e", b"1")))
    own = (("data/a", b"2"), ("data/c/new", b"2"), ("data/c/d/new", b"2"))
    unpacking.layer(
        layer(tmp_path, *own, ("data/.wh.a", b""), ("data/c/.wh..wh..opq", b""), ("data/.wh..wh.plnk", b""))
    )
    assert contents(unpacking) == {"a": b"2", "c/new": b"2", "c/d/new": b"2", "e": b"1"}
    unpacking.layer(layer(tmp_path, ("data/.wh..wh..opq", b""), ("data/f", b"3")))
    assert contents(unpacking) == {"f": b"3"}


@pytest.mark.parametrize("name", [".wh.data", "./.wh.data", "/.wh.data", ".wh..wh..opq", "data/.wh..wh..opq"])
@pytest.mark.parametrize("first", [True, False])
def test_rows_that_were_withdrawn_with_their_folder_do_not_come_back(
    unpacking: Unpacking, tmp_path: Path, name: str, first: bool
) -> None:
    unpacking.layer(layer(tmp_path, ("data/withdrawn.jsonl", b"1"), ("data/sub/withdrawn.jsonl", b"1")))
    kept = ("data/sub/new.jsonl", b"2")
    unpacking.layer(layer(tmp_path, *(((name, b""), kept) if first else (kept, (name, b"")))))
    assert contents(unpacking) == {"sub/new.jsonl": b"2"}
    unpacking.layer(layer(tmp_path, ("data/newer.jsonl", b"3")))
    assert contents(unpacking) == {"sub/new.jsonl": b"2", "newer.jsonl": b"3"}
    unpacking.layer(layer(tmp_path, (name, b"")))
    assert contents(unpacking) == {}


def test_a_whiteout_within_a_folder_hides_the_file_that_the_folder_was(unpacking: Unpacking, tmp_path: Path) -> None:
    unpacking.layer(layer(tmp_path, ("data/a", b"1"), ("data/b", b"1")))
    unpacking.layer(layer(tmp_path, ("data/a/.wh..wh..opq", b""), ("data/b/.wh.c", b"")))
    assert contents(unpacking) == {}


@pytest.mark.parametrize("name", ["wh.data", ".wh.datas", ".wh.data/x", "usr/.wh.data", ".wh..wh.plnk"])
def test_whiteouts_of_other_names_leave_the_data_alone(unpacking: Unpacking, tmp_path: Path, name: str) -> None:
    unpacking.layer(layer(tmp_path, ("data/a", b"1")))
    unpacking.layer(layer(tmp_path, (name, b"")))
    assert contents(unpacking) == {"a": b"1"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.REGTYPE, tarfile.FIFOTYPE])
def test_data_that_is_no_folder_any_more_is_refused(unpacking: Unpacking, tmp_path: Path, kind: bytes) -> None:
    unpacking.layer(layer(tmp_path, ("data/a", b"1")))
    with pytest.raises(UnsafeArchive, match="/data is no folder"):
        unpacking.layer(layer(tmp_path, links=(("data", kind, "/srv"),)))


@pytest.mark.parametrize("name", ["data/" + "a" * 300, "data/" + "a/" * 200 + "b", "data/" + "ä" * 130])
def test_a_name_that_no_file_system_has_is_the_layers_fault(unpacking: Unpacking, tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafeArchive, match="longer than names may be"):
        unpacking.layer(layer(tmp_path, (name, b"x")))


def test_folders_are_counted_too(unpacking: Unpacking, tmp_path: Path) -> None:
    with pytest.raises(SizeLimitExceeded, match="more files"):
        unpacking.layer(layer(tmp_path, links=tuple((f"data/{n}", tarfile.DIRTYPE, "") for n in range(11))))


@pytest.mark.parametrize("name", ["../a", "data/../../a", "data/sub/../../../etc/a", "/data/../a", "data/.wh../../a"])
def test_path_traversal_is_refused(unpacking: Unpacking, tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsafeArchive, match="points outside"):
        unpacking.layer(layer(tmp_path, (name, b"x")))
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_below_data_are_refused(unpacking: Unpacking, tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(UnsafeArchive, match="data/x is a link or a device"):
        unpacking.layer(layer(tmp_path, links=(("data/x", kind, "/etc/passwd"),)))


def test_links_of_the_base_image_are_left_alone(unpacking: Unpacking, tmp_path: Path) -> None:
    unpacking.layer(layer(tmp_path, ("data/a", b"a"), links=(("bin", tarfile.SYMTYPE, "/usr/bin"),)))
    assert contents(unpacking) == {"a": b"a"}


def test_a_decompression_bomb_stops_at_the_limit(unpacking: Unpacking, tmp_path: Path) -> None:
    file = tmp_path / "bomb"
    file.write_bytes(gzip.compress(layer(tmp_path, ("data/a", bytes(1_000_000))).read_bytes()))
    with pytest.raises(SizeLimitExceeded, match="data/a"):
        unpacking.layer(file)
    assert sum(len(content) for content in contents(unpacking).values()) <= 10_000


def test_too_many_files_are_refused(unpacking: Unpacking, tmp_path: Path) -> None:
    with pytest.raises(SizeLimitExceeded, match="more files"):
        unpacking.layer(layer(tmp_path, *((f"data/{n}", b"") for n in range(11))))


def test_a_header_that_would_fill_the_memory_is_refused(unpacking: Unpacking, tmp_path: Path) -> None:
    info = tarfile.TarInfo("long")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, HEADER_MAX + 1
    (tmp_path / "x").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(HEADER_MAX + 5000))
    with pytest.raises(UnsafeArchive, match="a header has"):
        unpacking.layer(tmp_path / "x")


@pytest.mark.parametrize("content", [b"no archive at all" * 100, b"\x1f\x8b\x08 broken", b"\x28\xb5\x2f\xfd broken"])
def test_a_file_that_is_no_archive_is_refused(unpacking: Unpacking, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UnsafeArchive, match="not a tar archive, or is damaged"):
        unpacking.layer(tmp_path / "x")


def test_a_truncated_layer_is_refused(unpacking: Unpacking, tmp_path: Path) -> None:
    file = layer(tmp_path, ("data/a", b"a" * 5000))
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(UnsafeArchive, match="damaged"):
        unpacking.layer(file)


def test_places() -> None:
    assert data_path("usr/data/a") is None
    assert str(data_path("./data//a/./b")) == "a/b"


@pytest.mark.parametrize(
    "manifest",
    [{}, {"layers": []}, {"layers": [{"digest": "md5:1", "size": 1}]}, {"layers": [{"digest": "sha256:" + "a" * 64}]}],
)
def test_a_manifest_without_proper_layers_is_refused(manifest: dict[str, object]) -> None:
    with pytest.raises(UnsafeArchive):
        layers_of(manifest)


def test_an_index_gives_our_platform_or_the_first_image() -> None:
    arm = {"digest": "arm", "platform": {"os": "linux", "architecture": "arm64"}}
    amd = {"digest": "amd", "platform": {"os": "linux", "architecture": "amd64"}}
    proof = {"digest": "proof", "platform": {"os": "unknown", "architecture": "unknown"}}
    assert chosen([proof, arm, amd]) == "amd"
    assert chosen([proof, arm]) == "arm"
    with pytest.raises(UnsafeArchive):
        chosen([proof])
