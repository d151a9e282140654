"""Every data file below the folder is used, in the order of names; what is none is not."""

from pathlib import Path

import pytest

from api.configs.training_sections import DatasetConfig
from api.pods.data import MANIFEST_FILE
from runtime.pod.exit import Failure
from runtime.pod.termination import Kind
from runtime.rows.failures import EMPTY, NOT_FOUND
from runtime.rows.files import data_files
from runtime.tune.data.files import digest_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.jsonl", "a.CSV", "sub/c.parquet", "README.md", MANIFEST_FILE, ".part/d.json", ".e.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def names(folder: Path, **chosen: str) -> list[tuple[str, str]]:
    return [(file.name, file.ending) for file in data_files(folder, DatasetConfig.model_validate(chosen))]


def test_files_are_known_by_their_endings(folder: Path) -> None:
    assert names(folder) == [("a.CSV", ".csv"), ("b.jsonl", ".jsonl"), ("sub/c.parquet", ".parquet")]


def test_the_user_may_name_a_format_a_folder_or_a_file(folder: Path) -> None:
    assert names(folder, dataset_extension="jsonl") == [("b.jsonl", ".jsonl")]
    assert names(folder, dataset_path="data/sub") == [("sub/c.parquet", ".parquet")]
    assert names(folder, dataset_path="data/README.md", dataset_extension="json") == [("README.md", ".json")]


@pytest.mark.parametrize(
    ("chosen", "why", "kind"),
    [
        ({"dataset_path": "data/nowhere"}, "nowhere does not exist", NOT_FOUND),
        ({"dataset_path": "data/README.md"}, "has an unknown format", EMPTY),
        ({"dataset_extension": "arrow"}, r"holds no data file \(\.e\.csv, \.part, README\.md, a\.CSV", EMPTY),
    ],
)
def test_no_file_is_a_failure_that_says_what_is_there(
    folder: Path, chosen: dict[str, str], why: str, kind: Kind
) -> None:
    with pytest.raises(Failure, match=why) as caught:
        names(folder, **chosen)
    assert caught.value.kind is kind


def test_the_digest_is_of_names_and_contents(folder: Path) -> None:
    before = digest_of(data_files(folder, DatasetConfig()))
    assert before == digest_of(data_files(folder, DatasetConfig()))
    (folder / "b.jsonl").write_text("other")
    assert before != digest_of(data_files(folder, DatasetConfig()))
