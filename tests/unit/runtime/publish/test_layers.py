"""Layers are tar archives that others can read, and the same bytes for the same files wherever they lie."""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.publish.layers import Entry, FileChanged, entry_of_file, entry_of_text, layer_of
from runtime.registry.blobs import CHUNK


def test_a_layer_is_a_tar_with_the_files_below_data(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"x" * 1000)
    layer = layer_of([entry_of_file("b", tmp_path / "b"), entry_of_text("a", "text")])
    content = b"".join(layer.content())
    assert len(content) == layer.size
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames() == ["data", "data/a", "data/b"]
        assert {(entry.mtime, entry.uid, entry.gid, entry.uname) for entry in archive} == {(0, 0, 0, "")}
        found = archive.extractfile("data/b")
        assert found is not None
        assert found.read() == b"x" * 1000


def test_time_owner_order_and_place_do_not_matter(tmp_path: Path) -> None:
    digests = set()
    for number, names in enumerate((("a", "b"), ("b", "a"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in names:
            (folder / name).write_text(name)
            os.utime(folder / name, (number, number))
            (folder / name).chmod(0o600 + number)
        digests.add(layer_of([entry_of_file(name, folder / name) for name in names]).digest)
    assert len(digests) == 1


def test_an_empty_file_and_a_full_block_are_padded_right() -> None:
    for size in (0, 511, 512, 513):
        layer = layer_of([entry_of_text("a", "x" * size)])
        assert layer.size % 512 == 0
        with tarfile.open(fileobj=io.BytesIO(b"".join(layer.content()))) as archive:
            assert archive.getmember("data/a").size == size


@pytest.mark.parametrize("content", [b"short", b"longer than said"])
def test_a_file_that_grows_or_shrinks_is_noticed(content: bytes) -> None:
    with pytest.raises(FileChanged, match="a had 10 bytes"):
        layer_of([Entry("a", 10, lambda: iter((content,)))])


def test_a_file_of_another_checksum_than_was_noted_is_noticed_and_one_of_the_same_is_not(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"x" * (2 * CHUNK + 1))
    noted = hashlib.sha256(file.read_bytes()).hexdigest()
    assert layer_of([entry_of_file("a", file, noted)]) == layer_of([entry_of_file("a", file)])
    with file.open("r+b") as stream:
        stream.seek(CHUNK)
        stream.write(b"y")
    with pytest.raises(FileChanged, match="a is not what training wrote"):
        layer_of([entry_of_file("a", file, noted)])
    layer_of([entry_of_file("a", file)])


def test_each_file_is_read_once_for_its_layer() -> None:
    readings = []

    def content() -> Iterator[bytes]:
        readings.append(1)
        yield b"text"

    layer = layer_of([Entry("a", 4, content, hashlib.sha256(b"text").hexdigest())])
    assert len(readings) == 1
    assert b"text" in b"".join(layer.content())
