"""Validates all data files and writes the manifest that describes them, last and atomically.

Which files there are and how they are read is left to `runtime/rows`, which the training reads with, too.
"""

import os
from collections.abc import Callable, Mapping
from hashlib import file_digest
from pathlib import Path

from pydantic import ValidationError

from api.pods.data import DataConfig, DataFileRecord, DataManifest, data_digest, request_digest
from runtime.data.check_rows import RowCounts, check_rows
from runtime.data.failures import EMPTY, TOO_LARGE
from runtime.data.judging import judge_of
from runtime.data.tokens import tokens_of
from runtime.pod.exit import CONFIG_INVALID, Failure
from runtime.rows.examples import examples_of
from runtime.rows.files import DataFile, selection
from runtime.turns.losses import Losses

WARNINGS_MAX = 20


def manifest_of(config: DataConfig, sources: Mapping[str, str], seen: Callable[[int], None]) -> DataManifest:
    """Returns the manifest. `sources` has the origin of files by name. Raises Failure naming file, row and column."""
    top = Path(config.folder)
    chosen = selection(top, config.dataset)
    files = chosen.files
    total = sum(file.path.stat().st_size for file in files)
    if len(files) > config.max_files or total > config.max_bytes:
        limit = f"{config.max_files} files and {config.max_bytes} bytes are allowed"
        raise Failure(TOO_LARGE, f"{len(files)} files with {total} bytes, and {limit}")
    judge, losses = judge_of(config), Losses()
    counted = [(file, check_rows(examples_of(file, config.dataset), seen, judge, losses, file.name)) for file in files]
    records = [_record(file, counts, sources) for file, counts in counted]
    usable = sum(record.usable for record in records)
    unusable = [f"{file.name} {row}" for file, counts in counted for row in counts.unusable]
    if not usable:
        why = "; ".join(unusable[:3]) or "the files have no rows"
        raise Failure(EMPTY, f"none of {sum(record.rows for record in records)} rows can be trained on: {why}")
    tokens, how = _tokens(config, [counts for _, counts in counted])
    return DataManifest(
        digest=data_digest((record.name, record.sha256) for record in records),
        files=records,
        rows=sum(record.rows for record in records),
        usable=usable,
        bytes=total,
        asked=request_digest(config),
        tokens=tokens,
        tokens_by=how,
        warnings=[*losses.words(), *chosen.left_out, *unusable][:WARNINGS_MAX],
        not_rendered={kind.value: count for kind, count in losses.parts.items()},
    )


def kept_manifest(config: DataConfig) -> DataManifest | None:
    """Returns the manifest of an earlier start if its request is the same and the length of every file is unchanged.

    A user's volume is validated again each time, because the user may change it.
    """
    if not config.fetched or config.manifest_path is None:
        return None
    try:
        manifest = DataManifest.model_validate_json(Path(config.manifest_path).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    same = manifest.asked == request_digest(config)
    return manifest if same and all(_is_whole(Path(config.folder), record) for record in manifest.files) else None


def write_manifest(manifest: DataManifest, file: Path) -> None:
    """Writes atomically."""
    partial = file.with_name(f".{file.name}.partial")
    partial.write_text(manifest.model_dump_json(indent=1))
    os.replace(partial, file)


def _is_whole(top: Path, record: DataFileRecord) -> bool:
    file = top / record.name
    return file.is_file() and file.stat().st_size == record.bytes


def _record(file: DataFile, counts: RowCounts, sources: Mapping[str, str]) -> DataFileRecord:
    with file.path.open("rb") as stream:
        content = file_digest(stream, "sha256").hexdigest()
    return DataFileRecord(
        name=file.name,
        sha256=content,
        bytes=file.path.stat().st_size,
        format=file.ending.removeprefix("."),
        rows=counts.rows,
        usable=counts.usable,
        columns=counts.columns,
        shape=counts.shape,
        source=sources.get(file.name, sources.get("", "")),
    )


def _tokens(config: DataConfig, files: list[RowCounts]) -> tuple[int, str]:
    size = sum(counts.bytes for counts in files)
    samples = [sample for counts in files for sample in counts.samples]
    try:
        return tokens_of(size, samples, Path(config.tokenizer_file) if config.tokenizer_file else None)
    except ValueError as error:
        raise Failure(CONFIG_INVALID, str(error)) from error
