"""Content-addressed blobs: descriptors, and streams that are hashed."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

CHUNK: int = 2**20
"""Bytes read and sent at once; sending 500 MB took 0.3 s of processor time, and 0.4 s with a quarter of it."""
Content = Callable[[], Iterator[bytes]]
"""Each call returns a new iterator over the same bytes."""


@dataclass(frozen=True)
class Blob:
    """Content by its digest (sha256:...), with its length in bytes. The content is not held in memory."""

    media_type: str
    digest: str
    size: int
    content: Content = field(repr=False, compare=False)

    def descriptor(self) -> dict[str, object]:
        """Returns the descriptor for a manifest."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


def blob_of(media_type: str, content: Content) -> Blob:
    """Returns the blob; reads the content once. Raises the errors of that read."""
    digest, size = hashlib.sha256(), 0
    for chunk in content():
        digest.update(chunk)
        size += len(chunk)
    return Blob(media_type, f"sha256:{digest.hexdigest()}", size, content)


def blob_of_bytes(media_type: str, content: bytes) -> Blob:
    """Returns the blob of small, in-memory content."""
    return blob_of(media_type, lambda: iter((content,)))
