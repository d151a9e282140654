"""A few kilobytes of a stranger's cost some megabytes of memory, whatever they say that they are."""

import gzip
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest

ROOT = Path(__file__).parents[4]
MIB = 2**20


def cost(kind: str, file: Path, *limit: str) -> tuple[int, str]:
    """MiB that reading the file takes at its peak, and what comes of it."""
    program = [sys.executable, str(Path(__file__).with_name("bomb.py")), kind, str(file), *limit]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told["peak"], told["said"]


def sparse_layer(entries: int) -> bytes:
    """A GNU sparse file whose map has this many parts of no byte."""
    info = tarfile.TarInfo("data/a.csv")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 0
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[482] = 1  # the map goes on in blocks of 21 parts
    head[148:156] = b" " * 8
    head[148:156] = f"{sum(head):06o}\0 ".encode()
    block = (b"%011o\0%011o\0" % (1, 1)) * 21 + b"\x01" + bytes(7)
    return bytes(head) + block * (entries // 21) + bytes(1024)


def pax_sparse_layer(entries: int) -> bytes:
    """The same in the form of pax, 1.0: the map is the beginning of the file's content."""
    content = f"{entries}\n".encode() + b"0\n1\n" * entries
    return tarred(content, {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1"})


def tarred(content: bytes, pax: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("data/a.csv")
        info.size, info.pax_headers = len(content), pax
        archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def many_entries(count: int) -> bytes:
    """Empty files outside of the data, which are not counted as its files."""
    return b"".join(tarfile.TarInfo(f"usr/{number}").tobuf() for number in range(count)) + bytes(1024)


def many_headers(count: int) -> bytes:
    """Headers for all entries, one after the other, each just within the limit of one."""
    out = io.BytesIO()
    for number in range(count):
        record = f"k{number}={'x' * 1_000_000}\n"
        record = f"{len(record) + 8} {record}"
        info = tarfile.TarInfo("pax")
        info.type, info.size = tarfile.XGLTYPE, len(record)
        out.write(info.tobuf() + record.encode() + bytes(-len(record) % 512))
    return out.getvalue() + bytes(1024)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (sparse_layer(300_000), "sparse file"),
        (pax_sparse_layer(700_000), "sparse file"),
        (many_headers(60), "a header has"),
        (many_entries(60_000), "unpacked"),
    ],
    ids=["sparse", "pax-sparse", "headers", "entries"],
)
def test_a_layer_of_some_kilobytes_does_not_fill_the_memory(made: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / "layer"
    file.write_bytes(gzip.compress(made))
    assert file.stat().st_size < MIB
    peak, said = cost("layer", file)
    assert words in said
    assert peak < 16


def repeated(nested: bool) -> pa.Table:
    text = pa.array(["x" * 250_000] * 2000)
    messages = pa.array([[{"role": "user", "content": "x" * 250_000}]] * 1000) if nested else None
    return pa.table({"text": text} if messages is None else {"messages": messages})


@pytest.mark.parametrize("nested", [False, True])
def test_a_text_that_a_file_has_once_is_not_there_for_each_row_at_once(nested: bool, tmp_path: Path) -> None:
    file = tmp_path / "bomb.parquet"
    pa.parquet.write_table(repeated(nested), file, compression="zstd")
    assert file.stat().st_size < 10_000
    peak, said = cost("table", file)
    assert said in ("1000 rows", "2000 rows")
    assert peak < 128


def test_a_row_of_columns_larger_than_any_model_reads_is_refused(tmp_path: Path) -> None:
    pa.parquet.write_table(pa.table({"text": ["x" * 64 * MIB]}), tmp_path / "bomb.parquet", compression="zstd")
    peak, said = cost("table", tmp_path / "bomb.parquet")
    assert said == "row 1: it has more than 8388608 bytes"
    assert peak < 320  # the page, the dictionary, and what Arrow makes of them


def test_a_batch_that_is_unpacked_as_a_whole_fails_at_the_processs_limit(tmp_path: Path) -> None:
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    table = pa.table({"text": ["x" * 40 * MIB] * 5})
    with (
        pa.OSFile(str(tmp_path / "bomb.arrow"), "wb") as sink,
        pa.ipc.new_file(sink, table.schema, options=options) as to,
    ):
        to.write_batch(table.to_batches()[0])
    assert (tmp_path / "bomb.arrow").stat().st_size < MIB
    peak, said = cost("table", tmp_path / "bomb.arrow", str(128 * MIB))
    assert said == "row 1: it needs more memory at once than there is"
    assert peak < 160


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "a,b\n" + '"\n",' * 3 * MIB),
        ("a.csv", "," * 20_000 + "\n" + "1\n" * 1000),
        ("a.csv", "a\n" + "x" * 20 * MIB),
        ("a.jsonl", '{"a": ' + "[" * 20 * MIB),
        ("a.json", "[" + '{"a": [' + "[]," * 4 * MIB),
        ("a.jsonl", '{"a": [' + "[]," * 2 * MIB + "[]]}\n"),
    ],
    ids=["lines in quotes", "columns", "one line", "deep line", "list", "lists"],
)
def test_a_text_file_costs_what_one_row_may_cost(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    peak, said = cost("table", tmp_path / name)
    assert any(words in said for words in ("more than", "within", "columns", "nested", "1 rows")), said
    assert peak < 384


def test_a_header_of_tensors_does_not_fill_the_memory(tmp_path: Path) -> None:
    header = b'{"a":[' + b"[]," * (8 * MIB) + b"[]]}"
    (tmp_path / "adapter_model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    peak, said = cost("tensors", tmp_path / "adapter_model.safetensors")
    assert "cannot be read" in said
    assert peak < 64
