"""Pulls an OCI image that holds data: downloads its layers by digest, resumably, and extracts their /data.

Tries the credentials of all pull Secrets for the registry in turn. Unpacking is left to `unpacking.py`; the data
appears in its folder only when every layer is unpacked.
"""

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.configs.json_reading import read_json
from api.oci.docker_config import Account
from api.oci.image_reference import ImageReference, digest_matches
from api.pods.data import DataConfig
from runtime.data.archives import UnsafeArchive
from runtime.data.downloads import WORK
from runtime.data.failures import IMAGE_INVALID, TOO_LARGE, failure_of_disk, failure_of_registry
from runtime.data.manifests import chosen, layers_of
from runtime.data.progress import DataProgress
from runtime.data.unpacking import SizeLimitExceeded, Unpacking
from runtime.pod.exit import Failure, log_line
from runtime.pod.retry import RetryPolicy
from runtime.registry.accounts import read_accounts
from runtime.registry.client import Repository, repository
from runtime.registry.faults import RegistryFault, Trouble
from runtime.registry.retry import with_retries

MANIFESTS: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_TITLE: Final = "org.opencontainers.image.title"
"""The annotation of a layer with the name of its file, of the OCI image specification."""


@dataclass(frozen=True)
class Pulled:
    """The origin of the data."""

    digest: str


def pull(config: DataConfig, progress: DataProgress) -> Pulled:
    """Fills the folder with the image's /data. Raises Failure."""
    folder = Path(config.folder)
    try:
        return _pull(_reference(config.image or ""), config, folder, progress)
    except ValueError as error:
        raise Failure(IMAGE_INVALID, str(error)) from error
    except RegistryFault as fault:
        raise failure_of_registry(fault) from fault
    except UnsafeArchive as error:
        raise Failure(IMAGE_INVALID, f"{config.image}: {error}") from error
    except SizeLimitExceeded as error:
        raise Failure(TOO_LARGE, f"{config.image}: {error} ({config.max_bytes} bytes, {config.max_files})") from error
    except OSError as error:
        raise failure_of_disk(error) or error from error


def _reference(text: str) -> ImageReference:
    try:
        return ImageReference.parse(text)
    except ValueError as error:
        raise Failure(IMAGE_INVALID, f"{text[:100]!r} is not an image reference: {error}") from error


def _pull(image: ImageReference, config: DataConfig, folder: Path, progress: DataProgress) -> Pulled:
    candidates: list[Account | None] = [*read_accounts(image, config.registry.docker_configs)] or [None]
    faults = list[RegistryFault]()
    for account in candidates:
        try:
            with repository(image, config.registry, account, "pull", config.stall_s) as opened:
                return _Pull(opened, config, folder / WORK, progress).run(folder)
        except RegistryFault as fault:
            # Some registries answer 404 to accounts that may not see the repository.
            if fault.trouble not in (Trouble.FORBIDDEN, Trouble.NOT_FOUND):
                raise
            faults.append(fault)
            log_line(f"{fault}{'; trying the next Secret' if len(faults) < len(candidates) else ''}")
    raise next((fault for fault in faults if fault.trouble is Trouble.NOT_FOUND), faults[-1])


@dataclass
class _Pull:
    """One pull with one credential."""

    repository: Repository
    config: DataConfig
    work: Path
    progress: DataProgress

    def run(self, folder: Path) -> Pulled:
        self.work.mkdir(parents=True, exist_ok=True)
        manifest, digest = self._manifest(self.repository.image.version)
        layers = layers_of(manifest)
        total = sum(int(layer["size"]) for layer in layers)
        if total > self.config.max_bytes:
            raise SizeLimitExceeded(f"its layers have {total} bytes, more than allowed")
        self.progress.bytes_total, self.progress.files = total, len(layers)
        unpacked = self.work / "unpacked"
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir()
        unpacking = Unpacking(unpacked, self.config.max_bytes, self.config.max_files, lambda count: None)
        files = [self._persist(lambda layer=layer: self._layer(layer)) for layer in layers]
        self.progress.phase = "unpacking"
        for layer, file in zip(layers, files, strict=True):
            _unpack(unpacking, layer, file)
        if not any(unpacked.iterdir()):
            raise UnsafeArchive("it has no files below /data")
        for entry in unpacked.iterdir():
            _replace(entry, folder / entry.name)
        return Pulled(digest)

    def _manifest(self, which: str) -> tuple[dict[str, Any], str]:
        """Returns the image's manifest and digest; from an index, the one for our platform or the only one."""
        accept = ", ".join((*MANIFESTS, *INDEXES))
        content, kind = self._persist(lambda: self.repository.manifest(which, accept))
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        # Tags do not contain a colon.
        if ":" in which and not digest_matches(which, content):
            raise RegistryFault(Trouble.DAMAGED, f"the registry returned {digest} instead of {which}")
        try:
            manifest = read_json(content)
            if kind in INDEXES or "manifests" in manifest:
                return self._manifest(chosen(manifest["manifests"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnsafeArchive(f"its manifest cannot be read ({type(error).__name__})") from error
        return manifest, digest

    def _layer(self, layer: Mapping[str, Any]) -> Path:
        """Downloads a layer and verifies its digest; resumes an earlier attempt."""
        digest, size = str(layer["digest"]), int(layer["size"])
        file = self.work / digest.replace(":", "-")
        have = file.stat().st_size if file.exists() else 0
        if have < size:
            with self.repository.blob(digest, have) as (kept, chunks), file.open("r+b" if kept else "wb") as stream:
                stream.seek(have if kept else 0)
                for chunk in chunks:
                    stream.write(chunk)
                    self.progress.advance(len(chunk))
                    if stream.tell() > size:
                        break
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if f"sha256:{found}" != digest:
            if file.stat().st_size >= size:
                file.unlink()
            raise RegistryFault(Trouble.DAMAGED, f"the layer {digest[:19]} is incomplete or damaged")
        return file

    def _persist(self, attempt: Any) -> Any:
        def waiting(text: str) -> None:
            self.progress.phase = "waiting"
            log_line(text)

        retry_policy = RetryPolicy(
            stall_s=self.config.stall_s, attempts=self.config.attempts, first_pause_s=self.config.pause_s
        )
        result = with_retries(attempt, retry_policy, waiting)
        self.progress.phase = "fetching"
        return result


def _unpack(unpacking: Unpacking, layer: Mapping[str, Any], file: Path) -> None:
    try:
        unpacking.layer(file)
    except UnsafeArchive as error:
        notes = layer.get("annotations")
        title = notes.get(_TITLE) if isinstance(notes, Mapping) else None
        if not title:
            raise
        text = f"the layer {str(title)[:100]!r} is a file, as oras pushes it: build an image with that file below /data"
        raise UnsafeArchive(f"{text} ({error})") from error


def _replace(entry: Path, target: Path) -> None:
    """Moves `entry` to `target`, replacing what an interrupted start left there."""
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    os.replace(entry, target)
