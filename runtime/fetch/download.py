"""Downloads one revision in a process of its own, which exits when it is done: `python -m runtime.fetch.download`.

A separate process can be killed when its connection stalls, and its exit frees the memory of the hub's library.
Standard output carries JSON lines for `supervision.py`: first the plan, last the failure. An interrupted download is
resumed.
"""

import argparse
import hashlib
import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils.tqdm import disable_progress_bars

from runtime.fetch.hub_errors import failure_of
from runtime.fetch.selection import RemoteFile, select_files, select_tokenizer, total_size
from runtime.pod.metrics import bytes_below
from runtime.pod.termination import DISK_FULL, NOT_FOUND, FetchFailure

# Left free on the disk: the kubelet evicts pods before it is full.
SPARE_BYTES = 256 * 2**20
WORKERS = 8


def main() -> int:
    """Returns 0 if all files are in place, otherwise the failure's exit code."""
    parser = argparse.ArgumentParser()
    for option in ("--model", "--revision", "--to"):
        parser.add_argument(option, required=True)
    parser.add_argument("--tokenizer-only", action="store_true")
    options = parser.parse_args()
    disable_progress_bars()
    try:
        fill = download_tokenizer if options.tokenizer_only else download
        fill(options.model, options.revision, Path(options.to))
    except Exception as error:  # the process's edge: everything becomes a failure with a reason
        failure = failure_of(error, options.model, options.revision)
        _print_line({"reason": failure.kind.reason, "message": failure.message})
        return failure.kind.exit_code
    return 0


def download(model: str, revision: str, folder: Path) -> None:
    """Fills `folder` with the files that a server needs, and checks them. Raises the hub's errors."""
    files = select_files(list_files(model, revision))
    if not files:
        raise FetchFailure(NOT_FOUND, "the repository holds no weights that can be served")
    _fill(model, revision, folder, files)


def download_tokenizer(model: str, revision: str, folder: Path) -> None:
    """Fills `folder` with the tokenizer's files, which may be none. Raises the hub's errors."""
    if files := select_tokenizer(list_files(model, revision)):
        _fill(model, revision, folder, files)


def _fill(model: str, revision: str, folder: Path, files: list[RemoteFile]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    check_space(folder, total_size(files))
    _print_line({"files": len(files), "bytes": total_size(files)})
    snapshot_download(
        model,
        revision=revision,
        local_dir=folder,
        # Patterns, so what glob would read as special is taken literally.
        allow_patterns=[_literal(file.path) for file in files],
        max_workers=WORKERS,
    )
    check_files(folder, files)


def list_files(model: str, revision: str) -> list[RemoteFile]:
    """Lists the repository's files at this revision with the hub's metadata."""
    info = HfApi().model_info(model, revision=revision, files_metadata=True)
    return [_remote_file(sibling) for sibling in info.siblings or []]


def _remote_file(sibling: RepoSibling) -> RemoteFile:
    # Only large files (LFS) have a SHA-256 of their content; small ones have a git hash.
    return RemoteFile(sibling.rfilename, sibling.size, sibling.lfs.sha256 if sibling.lfs else None)


def check_space(folder: Path, needed: int) -> None:
    """Raises FetchFailure if the missing bytes do not fit on the disk."""
    missing = max(0, needed - bytes_below(folder))
    free = shutil.disk_usage(folder).free
    if missing + SPARE_BYTES > free:
        text = f"{missing / 1e9:.1f} GB are left to download and {free / 1e9:.1f} GB of disk are free"
        raise FetchFailure(DISK_FULL, f"{text}: use a machine type with a larger disk")


def check_files(folder: Path, files: list[RemoteFile]) -> None:
    """Raises OSError for a file that differs from the hub's metadata; deletes it, so that it is fetched anew."""
    with ThreadPoolExecutor(WORKERS) as workers:
        for fault in workers.map(lambda file: _fault(folder / file.path, file), files):
            if fault:
                raise OSError(fault)


def _fault(found: Path, file: RemoteFile) -> str | None:
    size = found.stat().st_size
    if file.size is not None and size != file.size:
        fault = f"{file.path} has {size} bytes, the hub says {file.size}"
    elif file.sha256 is not None and _sha256(found) != file.sha256:
        fault = f"{file.path} is damaged: its SHA-256 differs from the hub's"
    else:
        return None
    found.unlink()
    return fault


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _literal(path: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def _print_line(line: dict[str, object]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main())
