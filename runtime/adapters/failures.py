"""The failures of installing adapters: the reason in the Workspace's status, the exit code, and whether a retry helps.

    Failure
      config 31
      forbidden 110, not found 111, invalid 112,
      not servable 113, disk full 114,
      without effect 116                         the user has to act: not retried
      unreachable 115                            retried here, then by the kubelet

The reasons are those of api/reasons.py; a test compares them.
"""

from collections.abc import Mapping
from typing import Final

from runtime.data import failures as data
from runtime.pod.exit import CONFIG_INVALID, Failure
from runtime.pod.termination import Kind

FORBIDDEN: Final = Kind("AdapterForbidden", 110, worth_retrying=False)
NOT_FOUND: Final = Kind("AdapterNotFound", 111, worth_retrying=False)
INVALID: Final = Kind("AdapterInvalid", 112, worth_retrying=False)
NOT_SERVABLE: Final = Kind("AdapterNotServable", 113, worth_retrying=False)
DISK_FULL: Final = Kind("AdapterDiskFull", 114, worth_retrying=False)
UNREACHABLE: Final = Kind("AdapterUnreachable", 115, worth_retrying=True)
WITHOUT_EFFECT: Final = Kind("AdapterWithoutEffect", 116, worth_retrying=False)
KINDS: Final = (*(CONFIG_INVALID, FORBIDDEN, NOT_FOUND, INVALID, NOT_SERVABLE, DISK_FULL, UNREACHABLE, WITHOUT_EFFECT),)

_KIND_OF: Final[Mapping[Kind, Kind]] = {
    data.FORBIDDEN: FORBIDDEN,
    data.ADDRESS_REFUSED: FORBIDDEN,
    data.NOT_FOUND: NOT_FOUND,
    data.IMAGE_INVALID: INVALID,
    data.TOO_LARGE: INVALID,
    data.DISK_FULL: DISK_FULL,
    data.UNREACHABLE: UNREACHABLE,
    data.STALLED: UNREACHABLE,
    data.BROKEN_OFF: UNREACHABLE,
}


def failure_of_pull(name: str, failure: Failure) -> Failure:
    """Converts the failure of a pull into the failure of the adapter of that name."""
    return Failure(_KIND_OF.get(failure.kind, INVALID), f"adapter {name}: {failure.message}")
