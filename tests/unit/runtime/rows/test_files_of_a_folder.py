"""Which files are read, which are left alone, and what is said of a file that is not what its name says."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from api.configs.training_sections import DatasetConfig
from runtime.rows.files import data_files
from runtime.tune.data.files import digest_of
from tests.unit.runtime.rows.judging import judged, pairs, refused, rows_of

ROW = json.dumps({"prompt": "a", "completion": "b"}) + "\n"


def arrow(file: Path, prompt: str = "a") -> None:
    made = pa.table({"prompt": [prompt], "completion": ["b"]})
    file.parent.mkdir(parents=True, exist_ok=True)
    with pa.ipc.new_stream(str(file), made.schema) as writer:
        writer.write_table(made)


@pytest.mark.parametrize("top", ["", "train/"])
def test_a_folder_of_save_to_disk_is_its_arrow_files(tmp_path: Path, top: str) -> None:
    folder = tmp_path / top
    arrow(folder / "data-00000-of-00001.arrow")
    arrow(folder / "cache-4d2f.arrow", "cached")
    (folder / "dataset_info.json").write_text(json.dumps({"features": {"prompt": {"dtype": "string"}}}, indent=2))
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}, indent=2))
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train"]}')
    assert pairs(tmp_path) == [("a", "b")]
    (told,) = judged(tmp_path).warnings
    assert told.startswith("not read, because they describe other files: ")
    assert all(name in told for name in (f"{top}cache-4d2f.arrow", f"{top}state.json", "dataset_dict.json"))


@pytest.mark.parametrize("name", ["config.json", "dataset_infos.json", "package.json"])
def test_settings_beside_the_data_are_left_alone_and_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "rows.jsonl").write_text(ROW)
    (tmp_path / name).write_text(json.dumps({"architectures": ["A"], "sizes": {"a": 1}}, indent=2))
    assert pairs(tmp_path) == [("a", "b")]
    assert judged(tmp_path).warnings == [f"not read, because they describe other files: {name}"]


def test_a_file_named_state_is_data_where_nothing_was_saved(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(ROW)
    (tmp_path / "dataset_info.json").write_text(ROW)
    assert len(pairs(tmp_path)) == 2


def test_objects_of_unknown_columns_are_data_where_there_is_no_other(tmp_path: Path) -> None:
    for name in ("1.json", "2.json"):
        (tmp_path / name).write_text('{"frage": "a", "antwort": "b"}')
    reason, message = refused(tmp_path)
    assert reason == "DataColumnsUnknown" and message.startswith("1.json: none of the columns antwort, frage is known")
    assert pairs(tmp_path, context_column="frage", response_column="antwort") == [("a", "b")] * 2


def test_files_that_are_not_read_are_told(tmp_path: Path) -> None:
    for name in ("train.jsonl.gz", "notes.txt", "README.md", "LICENSE", ".hidden.txt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "train.jsonl").write_text(ROW)
    (told,) = judged(tmp_path).warnings
    assert told.endswith(": notes.txt, train.jsonl.gz")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.jsonl", gzip.compress(ROW.encode(), mtime=0), "compressed with gzip: unpack it"),
        ("a.csv", b"\x28\xb5\x2f\xfd rest", "compressed with zstd"),
        ("a.parquet", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "a pointer of Git LFS"),
        ("a.jsonl", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        ("a.csv", b"PK\x03\x04 rest", "a zip archive or a spreadsheet"),
        ("a.jsonl", b"PAR1 rest", "let its name end with .parquet"),
        ("a.csv", "text\nä\n".encode("utf-16"), "save it as UTF-8"),
        ("a.csv", b"text\n\xe4\n", "row 1: it has the byte 0xe4: save it as UTF-8"),
        ("a.jsonl", b'{"text": "a"},\n{"text": "b"},\n', "row 2: ',' between objects: leave the commas out"),
        ("a.jsonl", b'{"text": "a"\n', "row 1: an object ends early"),
        ("a.jsonl", b"{'text': 'a'}\n", "enclosed in double quotes"),
        ("a.csv", b"prompt;completion\na;b\n", "separate columns with commas"),
        ("a.csv", b"prompt\tcompletion\na\tb\n", "separate columns with commas"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused_with_the_fix(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    told = refused(tmp_path)
    assert told[0] == "DataUnreadable" and told[1].startswith(f"{name}: ") and words in told[1]


def test_the_named_format_of_a_named_file_is_used(tmp_path: Path) -> None:
    (tmp_path / "download").write_text(ROW)
    (tmp_path / "other.csv").write_text("text\nx\n")
    assert pairs(tmp_path, dataset_path="/mnt/data/download", dataset_extension="jsonl") == [("a", "b")]
    assert "name it in DatasetConfig.dataset_extension" in refused(tmp_path, dataset_path="/mnt/data/download")[1]


def test_a_folder_that_is_named_has_the_digest_that_the_training_counts(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.jsonl").write_text(ROW)
    (tmp_path / "b.csv").write_text("text\nx\n")
    config = DatasetConfig(dataset_path="/mnt/data/sub")
    assert rows_of(tmp_path, dataset_path="/mnt/data/sub") == [[("user", "a"), ("assistant", "b")]]
    assert judged(tmp_path, dataset_path="/mnt/data/sub").digest == digest_of(data_files(tmp_path, config))
