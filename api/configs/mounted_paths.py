"""Validates a user's paths inside our pods: of a training below /mnt and outside the volumes mounted there, of a model
server below the folders of its weights and adapters."""

import posixpath
from typing import Final

ROOT: Final = "/mnt"
DATA: Final = "/mnt/data"
RESULTS: Final = "/mnt/results"
_TAKEN: Final = (DATA, "/mnt/config", "/mnt/adapter", "/mnt/streaming")
SERVED: Final = ("/weights", "/adapters")
"""What a model server has of the user's: the model's repository and the adapters."""


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


def served(path: str) -> str:
    """Returns the absolute path. Raises ValueError unless it lies in a folder of a model server (SERVED)."""
    absolute = posixpath.normpath(path)
    if not path.isprintable() or not any(absolute.startswith(f"{root}/") for root in SERVED):
        raise ValueError(f"must lie in {' or '.join(SERVED)}")
    return absolute
