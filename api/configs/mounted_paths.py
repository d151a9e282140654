"""Validates a user's paths inside a training pod: below /mnt, and outside the volumes mounted there."""

import posixpath
from typing import Final

ROOT: Final = "/mnt"
DATA: Final = "/mnt/data"
RESULTS: Final = "/mnt/results"
_TAKEN: Final = (DATA, "/mnt/config", "/mnt/adapter", "/mnt/streaming")


def contained(path: str) -> str:
    """Returns the absolute path; a relative one is resolved below /mnt. Raises ValueError if it escapes /mnt."""
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
