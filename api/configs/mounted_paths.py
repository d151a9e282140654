"""Paths that a user gives inside a training pod: they stay below /mnt, and out of what others have mounted there."""

import posixpath
from typing import Final

ROOT: Final = "/mnt"
DATA: Final = "/mnt/data"
RESULTS: Final = "/mnt/results"
_TAKEN: Final = (DATA, "/mnt/config", "/mnt/adapter", "/mnt/streaming")


def contained(path: str) -> str:
    """The absolute path; a relative one is meant below /mnt. Raises ValueError when it leads elsewhere."""
    if not path or not path.isprintable():
        raise ValueError(f"must be a path below {ROOT}")
    absolute = posixpath.normpath(posixpath.join(ROOT, path))
    if not absolute.startswith(f"{ROOT}/"):
        raise ValueError(f"must stay below {ROOT}, and {path!r} leads to {absolute}")
    return absolute


def writable(path: str) -> str:
    """Like `contained`; raises ValueError also where the pod's inputs are mounted."""
    absolute = contained(path)
    taken = next((one for one in _TAKEN if absolute == one or absolute.startswith(f"{one}/")), None)
    if taken:
        raise ValueError(f"must not lie in {taken}, where the pod's inputs are; use {RESULTS}")
    return absolute
