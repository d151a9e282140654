"""Files are read row by row, what they mean is told, and what is wrong names file, row and column."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest

from api.configs.training_sections import DatasetConfig
from api.pods.data import DataConfig, DataManifest, data_digest
from api.reasons import REASONS
from runtime.data import failures
from runtime.data.check_files import manifest_of
from runtime.pod.exit import Failure

ROWS = [{"prompt": f"What is {n}?", "completion": f"It is {n}."} for n in range(2500)]


def write(folder: Path, name: str, rows: list[Any]) -> None:
    file = folder / name
    table = pa.Table.from_pylist(rows) if name.endswith(("parquet", "arrow")) else None
    if name.endswith("parquet"):
        pyarrow.parquet.write_table(table, file)
    elif table is not None:
        new = pyarrow.ipc.new_stream if "stream" in name else pyarrow.ipc.new_file
        with new(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=700)
    elif name.endswith("csv"):
        with file.open("w", newline="") as text:
            writer = csv.DictWriter(text, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif name.endswith("jsonl") or "lines" in name:
        file.write_text("\n".join(json.dumps(row) for row in rows))
    else:
        file.write_text(json.dumps(rows, indent=1))


def judged(folder: Path, **more: Any) -> DataManifest:
    return manifest_of(DataConfig(folder=str(folder), **more), {}, lambda count: None)


def refused(folder: Path, **more: Any) -> tuple[str, str]:
    with pytest.raises(Failure) as caught:
        judged(folder, **more)
    return caught.value.kind.reason, caught.value.message


def test_every_reason_is_in_the_table_and_every_code_once() -> None:
    assert {kind.reason for kind in failures.KINDS} <= set(REASONS)
    codes = [kind.exit_code for kind in failures.KINDS]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(
    "name", ["a.parquet", "a.arrow", "a.stream.arrow", "a.csv", "a.json", "a.jsonl", "a.lines.json"]
)
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, ROWS)
    manifest = judged(tmp_path)
    (file,) = manifest.files
    assert (file.rows, file.usable, file.shape, file.columns) == (2500, 2500, "pair", ["completion", "prompt"])
    text = sum(len(row["prompt"]) + 1 + len(row["completion"]) for row in ROWS)
    assert manifest.tokens == round(text / 4)


def test_several_files_are_one_data_set_with_one_digest(tmp_path: Path) -> None:
    write(tmp_path, "b.jsonl", ROWS[:10])
    (tmp_path / "sub").mkdir()
    write(tmp_path, "sub/a.csv", ROWS[10:15])
    for name in (".hidden.csv", "notes.txt", "manifest.json"):
        (tmp_path / name).write_text("no data")
    manifest = judged(tmp_path)
    assert [file.name for file in manifest.files] == ["b.jsonl", "sub/a.csv"]
    assert manifest.rows == 15
    assert manifest.digest == data_digest((file.name, file.sha256) for file in reversed(manifest.files))


@pytest.mark.parametrize(
    ("row", "shape"),
    [
        ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, "messages"),
        ({"instruction": "a", "input": "", "output": "b"}, "pair"),
        ({"instruction": "a", "context": "c", "response": "b"}, "pair"),
        ({"text": "a"}, "text"),
    ],
)
def test_columns_are_recognised(tmp_path: Path, row: dict[str, Any], shape: str) -> None:
    write(tmp_path, "a.parquet", [row])
    assert judged(tmp_path).files[0].shape == shape


def test_columns_may_be_named(tmp_path: Path) -> None:
    write(tmp_path, "a.jsonl", [{"frage": "a", "antwort": "b"}])
    reason, message = refused(tmp_path)
    assert reason == "DataColumnsUnknown"
    assert all(word in message for word in ("a.jsonl", "antwort", "frage", "DatasetConfig"))
    named = DatasetConfig(context_column="frage", response_column="antwort")
    assert judged(tmp_path, dataset=named).usable == 1


def test_rows_that_cannot_be_learnt_from_are_counted_and_shown(tmp_path: Path) -> None:
    write(tmp_path, "a.jsonl", [*ROWS[:3], {"prompt": "x", "completion": ""}, {"prompt": None, "completion": "y"}])
    manifest = judged(tmp_path)
    assert (manifest.rows, manifest.usable) == (5, 3)
    assert manifest.warnings == ["a.jsonl row 4: column completion is empty", "a.jsonl row 5: column prompt is empty"]


def test_no_row_to_learn_from_names_file_row_and_column(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", [{"prompt": "x", "completion": ""}])
    assert refused(tmp_path) == (
        "DataEmpty",
        "none of 1 rows can be trained on: a.csv row 1: column completion is empty",
    )


@pytest.mark.parametrize(
    ("name", "content", "reason", "words"),
    [
        ("a.jsonl", '{"text": "a"}\n{"text": \n', "DataUnreadable", "a.jsonl: row 2: "),
        ("a.jsonl", '{"text": "a"}\n["b"]\n', "DataUnreadable", "a.jsonl: row 2: it is list"),
        ("a.json", '[{"text": "a"}, 7]', "DataUnreadable", "a.json: row 2: it is int"),
        ("a.json", '{"data":\n []}', "DataUnreadable", "a.json: row 1"),
        ("a.json", '[{"text": "a"} {"text": "b"}]', "DataUnreadable", "a.json: row 1: '{' where a comma"),
        ("a.json", '[{"text": "a"}, {"text', "DataUnreadable", "a.json: row 2: the list ends early"),
        ("a.json", f'[{{"text": {"[" * 20_000}', "DataUnreadable", "a.json: row 1: it is nested too deep"),
        ("a.jsonl", f"{{}}\n{'[' * 20_000}", "DataUnreadable", "a.jsonl: row 2: it is nested too deep"),
        ("a.json", " [ ]", "DataEmpty", "no rows"),
        ("a.csv", 'text,b\n"x",1\ny,2,3\n', "DataUnreadable", "a.csv: row 2: it has 3 fields, and the header 2"),
        ("a.csv", "text\n\xff\n", "DataUnreadable", "a.csv: row 1"),
        ("a.parquet", "PAR1", "DataUnreadable", "a.parquet: row 1"),
        ("a.arrow", "nothing", "DataUnreadable", "a.arrow: row 1"),
        ("a.jsonl", "", "DataEmpty", "no rows"),
        ("a.csv", "text\n", "DataEmpty", "no rows"),
        ("a.txt", "text", "DataEmpty", "holds no data file (a.txt)"),
    ],
)
def test_an_error_in_a_file_is_reported_with_its_place(
    tmp_path: Path, name: str, content: str, reason: str, words: str
) -> None:
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    found, message = refused(tmp_path)
    assert found == reason
    assert words in message


def test_the_path_that_the_user_named_is_used(tmp_path: Path) -> None:
    write(tmp_path, "a.jsonl", ROWS[:2])
    write(tmp_path, "b.jsonl", ROWS[:3])
    assert judged(tmp_path, dataset=DatasetConfig(dataset_path="/mnt/data/b.jsonl")).rows == 3
    assert refused(tmp_path, dataset=DatasetConfig(dataset_path="/mnt/data/c.jsonl"))[0] == "DataNotFound"
    assert refused(tmp_path, dataset=DatasetConfig(dataset_extension="csv"))[0] == "DataEmpty"


def test_more_than_is_allowed_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.jsonl", ROWS)
    assert refused(tmp_path, max_bytes=1000)[0] == "DataTooLarge"
