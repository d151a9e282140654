"""Installs one adapter: pulls or copies, validates and scales it, then moves it into place with its record.

Copies only the two files of KAITO's contract. A restarted container reuses adapters that are already installed.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from api.pods.adapter_records import ADAPTER_READY, AdapterRecord
from api.pods.adapters import AdaptersConfig, AdapterSource, request_of
from api.pods.data import DataConfig
from api.pods.tune import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from runtime.adapters.failures import INVALID, NOT_FOUND, NOT_SERVABLE, WITHOUT_EFFECT, failure_of_pull
from runtime.adapters.judging import compatibility_warning, rank_of, scaled
from runtime.data.failures import failure_of_disk
from runtime.data.images import pull
from runtime.data.progress import DataProgress
from runtime.pod.exit import Failure, log_line
from runtime.pod.lora_values import changes_nothing
from runtime.pod.safetensors import tensors_of
from runtime.publish.adapter import read_adapter

_PULLED: Final = ".pulled-{name}"
_STAGED: Final = ".staged-{name}"


def bring(source: AdapterSource, config: AdaptersConfig) -> AdapterRecord:
    """Puts the adapter into its folder and returns its record. Raises Failure that names the adapter."""
    folder = Path(config.folder) / source.name
    if (kept := _kept(folder)) and kept.asked == request_of(source):
        return kept
    try:
        origin, digest = _pulled(source, config) if source.image else (_on_volume(source, config), "")
        record = _staged(source, config, origin, digest)
    except OSError as error:
        full = failure_of_disk(error)
        raise failure_of_pull(source.name, full) if full else error from error
    shutil.rmtree(Path(config.folder) / _PULLED.format(name=source.name), ignore_errors=True)
    return record


def _kept(folder: Path) -> AdapterRecord | None:
    try:
        return AdapterRecord.model_validate_json((folder / ADAPTER_READY).read_bytes())
    except (OSError, ValidationError):
        return None


def _pulled(source: AdapterSource, config: AdaptersConfig) -> tuple[Path, str]:
    """Returns the folder and the image's digest. Resumes a pull that an earlier start began."""
    folder = Path(config.folder) / _PULLED.format(name=source.name)
    folder.mkdir(parents=True, exist_ok=True)
    kept = ("registry", "max_bytes", "max_files", "stall_s", "attempts", "pause_s")
    wanted: dict[str, Any] = {name: getattr(config, name) for name in kept}
    try:
        pulled = pull(DataConfig(folder=str(folder), image=source.image, **wanted), DataProgress())
    except Failure as failure:
        raise failure_of_pull(source.name, failure) from failure
    return folder, pulled.digest


def _on_volume(source: AdapterSource, config: AdaptersConfig) -> Path:
    folder = Path(config.volumes) / source.name
    if not folder.is_dir():
        raise Failure(NOT_FOUND, f"adapter {source.name}: its volume is not mounted at {folder}")
    return folder


def _staged(source: AdapterSource, config: AdaptersConfig, origin: Path, digest: str) -> AdapterRecord:
    """Writes files and record into a temporary folder and renames it last, so that readers never see part of it."""
    try:
        found = read_adapter(origin)
        rank = rank_of(found.config, tensors_of(origin / ADAPTER_WEIGHTS))
        if changes_nothing(origin / ADAPTER_WEIGHTS):
            raise Failure(WITHOUT_EFFECT, "it learned nothing: one matrix of every pair is zero; train it anew")
    except (Failure, ValueError, KeyError) as error:
        kind = error.kind if isinstance(error, Failure) and error.kind in (NOT_SERVABLE, WITHOUT_EFFECT) else INVALID
        raise Failure(kind, f"adapter {source.name} ({source.image or 'volume'}): {error}") from error
    if words := compatibility_warning(found.config, config.model):
        log_line(f"adapter {source.name}: {words}")
    record = AdapterRecord(
        name=source.name,
        rank=rank,
        base_model=str(found.config.get("base_model_name_or_path") or "")[:300],
        origin=digest,
        strength=source.strength,
        asked=request_of(source),
    )
    staged = Path(config.folder) / _STAGED.format(name=source.name)
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    put = os.replace if source.image else shutil.copyfile
    put(origin / ADAPTER_WEIGHTS, staged / ADAPTER_WEIGHTS)
    (staged / ADAPTER_CONFIG).write_text(json.dumps(scaled(found.config, source.strength), indent=2))
    (staged / ADAPTER_READY).write_text(record.model_dump_json())
    folder = Path(config.folder) / source.name
    shutil.rmtree(folder, ignore_errors=True)
    staged.rename(folder)
    return record
