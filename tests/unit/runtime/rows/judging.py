"""Has the same folder judged and read for a training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from api.configs.training_sections import DatasetConfig
from api.pods.data import DataConfig, DataManifest
from api.pods.training_rows import Example
from runtime.data.check_files import manifest_of
from runtime.pod.exit import Failure
from runtime.rows.files import data_files
from runtime.tune.data.read import Reading

Said = list[tuple[str, str]]


def judged(folder: Path, **dataset: Any) -> DataManifest:
    """As the Job without a GPU judges. Raises Failure."""
    return manifest_of(DataConfig(folder=str(folder), dataset=DatasetConfig(**dataset)), {}, lambda count: None)


def learnt(folder: Path, **dataset: Any) -> tuple[Reading, list[tuple[str, Example]]]:
    """As the training reads. Raises Failure."""
    config = DatasetConfig(**dataset)
    reading = Reading(data_files(folder, config), config)
    return reading, list(reading.examples())


def said(example: Example) -> Said:
    """Role and content of each message; of a text, the text."""
    return [(message["role"], message["content"]) for message in example.messages] or [("text", example.text)]


def rows_of(folder: Path, **dataset: Any) -> list[Said]:
    """What is learnt of the folder's rows, after it was judged usable to the same number of rows."""
    manifest = judged(folder, **dataset)
    reading, found = learnt(folder, **dataset)
    assert (reading.rows_read, len(found)) == (manifest.rows, manifest.usable)
    return [said(example) for _, example in found]


def pairs(folder: Path, **dataset: Any) -> list[tuple[str, str]]:
    """The same of questions with answers."""
    return [(row[0][1], row[-1][1]) for row in rows_of(folder, **dataset)]


def refused(folder: Path, **dataset: Any) -> tuple[str, str]:
    """Reason and message of the Job's refusal; the training would say the same."""
    told = [_refusal(reader, folder, dataset) for reader in (judged, learnt)]
    assert told[0] is not None
    if told[1] is not None:
        assert told[0] == told[1]
    return told[0]


def _refusal(reader: Any, folder: Path, dataset: Mapping[str, Any]) -> tuple[str, str] | None:
    try:
        reader(folder, **dataset)
    except Failure as failure:
        return failure.kind.reason, failure.message
    return None
