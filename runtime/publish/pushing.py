"""Pushes an image to a registry and verifies it: uploads missing blobs and the manifest, then reads all back.

Retries each blob and the manifest separately, so that after an outage only missing content is uploaded.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from runtime.pod.retry import RetryPolicy
from runtime.publish.image import MANIFEST, AdapterImage
from runtime.publish.progress import PublishProgress
from runtime.registry.blobs import Blob
from runtime.registry.client import Repository
from runtime.registry.faults import RegistryFault, Trouble
from runtime.registry.retry import Waiting, with_retries

PUSHING: Final = "pushing"
VERIFYING: Final = "verifying"


def push(
    repository: Repository, image: AdapterImage, retry_policy: RetryPolicy, progress: PublishProgress, waiting: Waiting
) -> None:
    """Pushes and verifies the image under its tag. Raises RegistryFault, FileChanged, OSError."""
    progress.phase, progress.bytes_total = PUSHING, image.size
    for blob in image.blobs:
        with_retries(lambda blob=blob: _ensure(repository, blob, progress), retry_policy, waiting)  # type: ignore[misc]
    tag = repository.image.tag
    with_retries(lambda: repository.put_manifest(image.manifest, MANIFEST, tag), retry_policy, waiting)
    progress.phase = VERIFYING
    with_retries(lambda: verify(repository, image), retry_policy, waiting)


def verify(repository: Repository, image: AdapterImage) -> None:
    """Raises RegistryFault unless the tag points to this manifest and every blob exists in its full length."""
    for which in (repository.image.tag, image.digest):
        found, _ = repository.manifest(which, MANIFEST)
        digest = f"sha256:{hashlib.sha256(found).hexdigest()}"
        if digest != image.digest:
            text = (
                f"{repository.image.repository}:{which} has the digest {digest} right after {image.digest} was pushed"
            )
            raise RegistryFault(Trouble.DAMAGED, text)
    for blob in image.blobs:
        size = repository.blob_size(blob.digest)
        if size != blob.size:
            text = f"the registry has {size} bytes of {blob.digest[:19]} after {blob.size} were pushed"
            raise RegistryFault(Trouble.DAMAGED, text)


def _ensure(repository: Repository, blob: Blob, progress: PublishProgress) -> None:
    progress.attempts += 1
    before = progress.bytes_done
    if repository.blob_size(blob.digest) is not None:
        progress.advance(blob.size)
        return
    try:
        repository.upload(replace(blob, content=lambda: _counted(blob, progress)))
    except RegistryFault:
        progress.bytes_done = before
        raise
    progress.uploaded += blob.size


def _counted(blob: Blob, progress: PublishProgress) -> Iterator[bytes]:
    for chunk in blob.content():
        yield chunk
        progress.advance(len(chunk))
