"""Validates all data files and writes the manifest that describes them, last and atomically.

Selects data files by the trainer's rule: a known ending, not hidden, not the manifest.
"""

import os
from collections.abc import Callable, Mapping
from hashlib import file_digest
from pathlib import Path

from pydantic import ValidationError

from api.configs.mounted_paths import DATA
from api.pods.data import MANIFEST_FILE, DataConfig, DataFileRecord, DataManifest, data_digest, request_digest
from api.pods.training_rows import FORMATS, ColumnsUnknown
from runtime.data.check_rows import RowCounts, check_rows
from runtime.data.failures import COLUMNS_UNKNOWN, EMPTY, NOT_FOUND, TOO_LARGE, UNREADABLE
from runtime.data.reading import FileUnreadable, read_table
from runtime.data.tokens import tokens_of
from runtime.pod.exit import CONFIG_INVALID, Failure

WARNINGS_MAX = 20


def manifest_of(config: DataConfig, sources: Mapping[str, str], seen: Callable[[int], None]) -> DataManifest:
    """Returns the manifest. `sources` has the origin of files by name. Raises Failure naming file, row and column."""
    top = Path(config.folder)
    files = data_files(top, config)
    total = sum(file.stat().st_size for file in files)
    if len(files) > config.max_files or total > config.max_bytes:
        limit = f"{config.max_files} files and {config.max_bytes} bytes are allowed"
        raise Failure(TOO_LARGE, f"{len(files)} files with {total} bytes, and {limit}")
    by_file = {str(file.relative_to(top)): _check_file(file, top, config, seen) for file in files}
    records = [_record(top / name, name, counts, sources) for name, counts in by_file.items()]
    usable = sum(record.usable for record in records)
    warnings = [f"{name} {row}" for name, counts in by_file.items() for row in counts.unusable]
    if not usable:
        why = "; ".join(warnings[:3]) or "the files have no rows"
        raise Failure(EMPTY, f"none of {sum(record.rows for record in records)} rows can be trained on: {why}")
    tokens, how = _tokens(config, list(by_file.values()))
    return DataManifest(
        digest=data_digest((record.name, record.sha256) for record in records),
        files=records,
        rows=sum(record.rows for record in records),
        usable=usable,
        bytes=total,
        asked=request_digest(config),
        tokens=tokens,
        tokens_by=how,
        warnings=warnings[:WARNINGS_MAX],
    )


def data_files(top: Path, config: DataConfig) -> list[Path]:
    """Returns the files to train on, sorted by name. Raises Failure if there are none."""
    wanted = _wanted(top, config.dataset.dataset_path)
    if not wanted.exists():
        raise Failure(NOT_FOUND, f"{wanted} does not exist")
    if wanted.is_file():
        found = [wanted] if wanted.suffix.lower() in FORMATS else []
    else:
        found = [path for path in sorted(wanted.rglob("*")) if _is_data(path, wanted)]
    extension = config.dataset.dataset_extension
    if extension:
        found = [path for path in found if path.suffix.lower() == f".{extension}"]
    if not found:
        there = sorted(path.name for path in top.iterdir() if not path.name.startswith("."))[:10]
        text = f"{wanted} holds no data file ({', '.join(there) or 'it is empty'})"
        raise Failure(EMPTY, f"{text}; files to train on end with {', '.join(FORMATS)}")
    return found


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


def _wanted(top: Path, dataset_path: str | None) -> Path:
    """Resolves `dataset_path`, which is a path in the training pod; here the data may be mounted elsewhere."""
    if dataset_path is None:
        return top
    path = Path(dataset_path)
    return top / path.relative_to(DATA) if path.is_relative_to(DATA) else path


def _is_data(path: Path, top: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(top).parts)
    manifest = path.name == MANIFEST_FILE or path.name.endswith(f".{MANIFEST_FILE}")
    return path.suffix.lower() in FORMATS and path.is_file() and not hidden and not manifest


def _check_file(file: Path, top: Path, config: DataConfig, seen: Callable[[int], None]) -> RowCounts:
    name = file.relative_to(top)
    try:
        table = read_table(file)
        return check_rows(table.columns, table.rows, config.dataset, seen) if table.columns else RowCounts("", [])
    except ColumnsUnknown as error:
        raise Failure(COLUMNS_UNKNOWN, f"{name}: {error}") from error
    except FileUnreadable as error:
        raise Failure(UNREADABLE, f"{name}: {error}") from error
    except OSError as error:
        raise Failure(UNREADABLE, f"{name}: {error.strerror or error}") from error


def _record(file: Path, name: str, counts: RowCounts, sources: Mapping[str, str]) -> DataFileRecord:
    with file.open("rb") as stream:
        content = file_digest(stream, "sha256").hexdigest()
    return DataFileRecord(
        name=name,
        sha256=content,
        bytes=file.stat().st_size,
        format=file.suffix.lower().removeprefix("."),
        rows=counts.rows,
        usable=counts.usable,
        columns=counts.columns,
        shape=counts.shape,
        source=sources.get(name, sources.get("", "")),
    )


def _tokens(config: DataConfig, files: list[RowCounts]) -> tuple[int, str]:
    size = sum(counts.bytes for counts in files)
    samples = [sample for counts in files for sample in counts.samples]
    try:
        return tokens_of(size, samples, Path(config.tokenizer_file) if config.tokenizer_file else None)
    except ValueError as error:
        raise Failure(CONFIG_INVALID, str(error)) from error
