"""The failures of fetching data: the reason in the Workspace's status, the exit code, and whether a retry helps.

    Failure
      config 31, tokenizer 32                       as in runtime/tune
      empty 40, unreadable 41, columns 42           the data itself; runtime/rows/failures.py
      not found 80, forbidden 81, refused 82,
      web page 83, too large 84, disk full 85,
      image invalid 86                              the user has to act: not retried
      unreachable 90, stalled 91, broken off 92     retried here, then by the Job

The reasons are those of api/reasons.py; a test compares them.
"""

import errno
from collections.abc import Mapping
from typing import Final

from api.addresses import AddressRefused
from runtime.data.guarded_http import LinkBroken
from runtime.pod.exit import CONFIG_INVALID, Failure
from runtime.pod.termination import Kind
from runtime.registry.faults import RegistryFault, Trouble
from runtime.rows import failures as rows

EMPTY: Final = rows.EMPTY
UNREADABLE: Final = rows.UNREADABLE
COLUMNS_UNKNOWN: Final = rows.COLUMNS_UNKNOWN
TOKENIZER_MISSING: Final = Kind("DownloadFailed", 32, worth_retrying=True)
NOT_FOUND: Final = rows.NOT_FOUND
FORBIDDEN: Final = Kind("DataForbidden", 81, worth_retrying=False)
ADDRESS_REFUSED: Final = Kind("DataAddressRefused", 82, worth_retrying=False)
WEB_PAGE: Final = Kind("DataIsWebPage", 83, worth_retrying=False)
TOO_LARGE: Final = Kind("DataTooLarge", 84, worth_retrying=False)
DISK_FULL: Final = Kind("DataDiskFull", 85, worth_retrying=False)
IMAGE_INVALID: Final = Kind("DataImageInvalid", 86, worth_retrying=False)
UNREACHABLE: Final = Kind("DataUnreachable", 90, worth_retrying=True)
STALLED: Final = Kind("DataStalled", 91, worth_retrying=True)
BROKEN_OFF: Final = Kind("DataDownloadFailed", 92, worth_retrying=True)
KINDS: Final = (
    CONFIG_INVALID, TOKENIZER_MISSING, EMPTY, UNREADABLE, COLUMNS_UNKNOWN, NOT_FOUND, FORBIDDEN, ADDRESS_REFUSED,
    WEB_PAGE, TOO_LARGE, DISK_FULL, IMAGE_INVALID, UNREACHABLE, STALLED, BROKEN_OFF,
)  # fmt: skip

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_KIND_OF: Final[Mapping[Trouble, Kind]] = {
    Trouble.FORBIDDEN: FORBIDDEN,
    Trouble.NOT_FOUND: NOT_FOUND,
    Trouble.REJECTED: IMAGE_INVALID,
    Trouble.FULL: UNREACHABLE,
    Trouble.UNREACHABLE: UNREACHABLE,
    Trouble.DAMAGED: BROKEN_OFF,
}


def failure_of_link(error: AddressRefused | LinkBroken | OSError, link: str) -> Failure:
    """Maps the error of a link to a Failure; `link` is its printable form, without the query."""
    if isinstance(error, AddressRefused):
        return Failure(ADDRESS_REFUSED, f"{link}: {error}")
    if isinstance(error, LinkBroken):
        return Failure(_kind_of_link(error), f"{link}: {error}")
    if isinstance(error, TimeoutError):
        return Failure(STALLED, f"{link}: the server stopped sending data")
    return failure_of_disk(error) or Failure(BROKEN_OFF, f"{link}: {error or type(error).__name__}")


def failure_of_disk(error: OSError) -> Failure | None:
    """Returns the Failure for a full volume; None for every other error."""
    if error.errno not in _FULL:
        return None
    return Failure(DISK_FULL, f"no space is left on the data's volume: {error}")


def failure_of_registry(fault: RegistryFault) -> Failure:
    """Maps a registry's fault to a Failure of the data."""
    return Failure(_KIND_OF[fault.trouble], str(fault))


def _kind_of_link(error: LinkBroken) -> Kind:
    if error.stalled:
        return STALLED
    if error.status is None or error.status >= 500 or error.status in (408, 425, 429):
        return UNREACHABLE
    return FORBIDDEN if error.status in (401, 403, 407, 451) else NOT_FOUND
