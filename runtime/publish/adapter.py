"""Selects the files of an adapter and checks that they are complete, not the rest of an interrupted training.

KAITO's two files are required. The tokenizer's files are included, because users of the image may not have them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from api.configs.json_reading import read_json
from api.pods.tune import ADAPTER_CONFIG, ADAPTER_WEIGHTS, SUMMARY_FILE, TrainingSummary
from runtime.pod.exit import Failure
from runtime.pod.safetensors import HEADER_MAX
from runtime.publish.failures import ADAPTER_INCOMPLETE

REQUIRED: Final = (ADAPTER_CONFIG, ADAPTER_WEIGHTS)
TOKENIZER: Final = (
    *("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "vocab.txt", "merges.txt", "chat_template.jinja", "chat_template.json"),
)
CONFIG_MAX: Final = 2**20


@dataclass(frozen=True)
class Adapter:
    """A complete adapter. `files` are those to publish; `checksums` are from the training's summary, sha256 as hex."""

    folder: Path
    files: tuple[str, ...]
    config: Mapping[str, Any]
    summary: TrainingSummary | None

    @property
    def checksums(self) -> dict[str, str]:
        return dict(self.summary.files) if self.summary else {}


def read_adapter(folder: Path) -> Adapter:
    """Returns the adapter in a folder. Raises Failure that names the missing or broken file."""
    if not folder.is_dir():
        raise Failure(ADAPTER_INCOMPLETE, f"the folder {folder} does not exist: training has written nothing")
    for name in REQUIRED:
        if not (folder / name).is_file():
            there = ", ".join(sorted(file.name for file in folder.iterdir())[:10]) or "nothing"
            raise Failure(ADAPTER_INCOMPLETE, f"{folder} holds no {name}, only: {there}")
    config = _config(folder / ADAPTER_CONFIG)
    check_weights(folder / ADAPTER_WEIGHTS)
    files = (*REQUIRED, *(name for name in TOKENIZER if (folder / name).is_file()))
    return Adapter(folder, files, config, _summary(folder / SUMMARY_FILE))


def check_weights(file: Path) -> None:
    """Raises Failure if a safetensors file is shorter or longer than its header specifies."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= min(HEADER_MAX, size - 8):
            raise Failure(ADAPTER_INCOMPLETE, f"{file.name} has {size} bytes and is not a safetensors file")
        try:
            header = read_json(stream.read(length))
            ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise Failure(ADAPTER_INCOMPLETE, f"{file.name} has a header that cannot be read") from error
    expected = 8 + length + max(ends, default=0)
    if size != expected or not ends:
        text = f"{file.name} has {size} bytes, and its header describes {expected} bytes in {len(ends)} tensors"
        raise Failure(ADAPTER_INCOMPLETE, text)


def _config(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > CONFIG_MAX:
            raise ValueError(f"it has {file.stat().st_size} bytes")
        config = read_json(file.read_bytes())
        if not isinstance(config, dict) or not config.get("peft_type"):
            raise ValueError("it has no peft_type")
    except ValueError as error:
        raise Failure(ADAPTER_INCOMPLETE, f"{file.name} is not an adapter's configuration: {error}") from error
    return config


def _summary(file: Path) -> TrainingSummary | None:
    """Returns the training's summary; None for an adapter that was not trained here."""
    if not file.is_file():
        return None
    try:
        return TrainingSummary.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise Failure(
            ADAPTER_INCOMPLETE, f"{file.name} cannot be read: {error.error_count()} fields are wrong"
        ) from error
