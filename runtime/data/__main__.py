"""`python -m runtime.data --config FILE`: fetches training data, validates it, writes the manifest, exits.

A second run skips files that are already complete. Exit codes and reasons are in `failures.py`.
"""

import os
import shutil
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from api.pods.data import DataConfig, DataManifest
from runtime.data.check_files import kept_manifest, manifest_of, write_manifest
from runtime.data.downloads import WORK, Downloads, Fetched
from runtime.data.failures import NOT_FOUND, TOO_LARGE
from runtime.data.guarded_http import GuardedHttp
from runtime.data.images import pull
from runtime.data.links import Link, links_of
from runtime.data.progress import DataProgress
from runtime.pod.exit import MESSAGE_MAX, Failure, log_line, run
from runtime.pod.guarded_network import system_resolve
from runtime.pod.memory_limit import limit_memory
from runtime.pod.metrics import COMPLETE
from runtime.pod.retry import RetryPolicy
from runtime.pod.status_server import start_status_server

MEMORY_MAX: Final = 2**30
"""Bytes. Rows, pages and batches of files that can be trained on take some hundred MiB; the pod's own limit is more."""


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code: 0 if the data is present and can be trained on."""
    return run("runtime.data", DataConfig, prepare, argv)


def limited_main() -> int:
    """The same in a process of its own, in which whatever asks for more than MEMORY_MAX fails, with the file at fault:
    a compressed part of an Arrow file is unpacked as a whole, whatever it says of its size."""
    limit_memory(MEMORY_MAX)
    return main()


def prepare(config: DataConfig) -> Mapping[str, Any]:
    """Returns the final result: the manifest, without the list of files if it is long. Raises Failure."""
    progress = DataProgress()
    server = start_status_server(progress, config.port)
    try:
        manifest = kept_manifest(config) or _prepared(config, progress)
        progress.phase = COMPLETE
        log_line(f"{manifest.usable} of {manifest.rows} rows, about {manifest.tokens} tokens ({manifest.tokens_by})")
        result = manifest.model_dump()
        short = manifest.model_dump(exclude={"files"}) | {"warnings": manifest.warnings[:3]}
        return result if len(str(result)) < MESSAGE_MAX else short
    finally:
        server.shutdown()
        server.server_close()


def _prepared(config: DataConfig, progress: DataProgress) -> DataManifest:
    sources = _fetch(config, progress)
    progress.phase = "validating"
    manifest = manifest_of(config, sources, lambda count: _seen(progress, count))
    if config.manifest_path:
        write_manifest(manifest, Path(config.manifest_path))
    if config.fetched:
        # Layers and resume state, not needed any more.
        shutil.rmtree(Path(config.folder) / WORK, ignore_errors=True)
    return manifest


def _fetch(config: DataConfig, progress: DataProgress) -> dict[str, str]:
    """Returns the origin of each file by name; under "" if all have the same origin."""
    progress.phase = "fetching"
    if config.urls:
        return _fetch_links(config, progress)
    if config.image:
        _remove_others(Path(config.folder), ())
        return {"": pull(config, progress).digest}
    if not Path(config.folder).is_dir():
        raise Failure(NOT_FOUND, f"there is no folder {config.folder} on the volume")
    return {}


def _fetch_links(config: DataConfig, progress: DataProgress) -> dict[str, str]:
    hub = config.hf_endpoint or os.environ.get("HF_ENDPOINT")
    links = links_of(config.urls, hub)
    if len(links) > config.max_files:
        raise Failure(TOO_LARGE, f"{len(links)} links were given, and {config.max_files} are allowed")
    # The operator configured the hub's mirror, so it may have an internal address.
    allowed = {*config.allowed_hosts, *((urlsplit(hub).hostname or "",) if hub else ())}
    http = GuardedHttp(system_resolve, allowed, config.stall_s)
    folder = Path(config.folder)
    folder.mkdir(parents=True, exist_ok=True)
    progress.files = len(links)
    asked = config.dataset.dataset_extension
    downloads = Downloads(http, folder, progress, config.max_bytes, f".{asked}" if asked else "")
    retry_policy = RetryPolicy(stall_s=config.stall_s, attempts=config.attempts, first_pause_s=config.pause_s)
    found = [_fetch_link(downloads, link, retry_policy, progress) for link in links]
    sources = {fetched.file.name: fetched.source for fetched in found}
    _remove_others(folder, sources)
    return sources


def _remove_others(folder: Path, kept: Collection[str]) -> None:
    """Removes what an earlier request has left: the volume outlives an edit of the links, and every file is data."""
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.name in kept or entry.name == WORK:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _fetch_link(downloads: Downloads, link: Link, retry_policy: RetryPolicy, progress: DataProgress) -> Fetched:
    for attempt in range(1, retry_policy.attempts + 1):
        progress.phase, progress.attempts = "fetching", attempt
        try:
            return downloads.fetch(link)
        except Failure as failure:
            if not failure.kind.worth_retrying or attempt == retry_policy.attempts:
                raise
            pause = retry_policy.pause_s(attempt)
            log_line(f"attempt {attempt} of {retry_policy.attempts}: {failure.message}; trying again in {pause:.0f} s")
            progress.phase = "waiting"
            time.sleep(pause)
    raise AssertionError("the RetryPolicy allows no attempt")


def _seen(progress: DataProgress, count: int) -> None:
    progress.rows += count


if __name__ == "__main__":
    sys.exit(limited_main())
