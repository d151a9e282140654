"""The failures of publishing: the reason that the Workspace's status shows, the exit code, and whether a retry helps.

    Failure
      config 31, adapter incomplete 70    the user has to act: not retried
      forbidden 71                        retried after the Secret is corrected; the adapter is kept
      unreachable 72, full 73             retried; the adapter is kept
      rejected 74                         the registry refuses this content

The reasons are those of api/reasons.py; a test compares them.
"""

from collections.abc import Mapping
from typing import Final

from runtime.pod.exit import CONFIG_INVALID, Failure
from runtime.pod.termination import Kind
from runtime.registry.faults import RegistryFault, Trouble

ADAPTER_INCOMPLETE: Final = Kind("AdapterIncomplete", 70, worth_retrying=False)
FORBIDDEN: Final = Kind("PushForbidden", 71, worth_retrying=True)
UNREACHABLE: Final = Kind("RegistryUnreachable", 72, worth_retrying=True)
FULL: Final = Kind("RegistryFull", 73, worth_retrying=True)
REJECTED: Final = Kind("BlobRejected", 74, worth_retrying=False)
KINDS: Final = (CONFIG_INVALID, ADAPTER_INCOMPLETE, FORBIDDEN, UNREACHABLE, FULL, REJECTED)

_KIND_OF: Final[Mapping[Trouble, Kind]] = {
    Trouble.FORBIDDEN: FORBIDDEN,
    # Registries that hide repositories answer 404 to an unauthorized push into one that does not exist.
    Trouble.NOT_FOUND: FORBIDDEN,
    Trouble.UNREACHABLE: UNREACHABLE,
    Trouble.FULL: FULL,
    Trouble.REJECTED: REJECTED,
    Trouble.DAMAGED: REJECTED,
}


def failure_of(fault: RegistryFault, scope: str, whose: str) -> Failure:
    """Maps a registry's fault to a Failure; for missing rights its message names the Secret and the rights."""
    kind = _KIND_OF[fault.trouble]
    if kind is not FORBIDDEN:
        return Failure(kind, str(fault))
    return Failure(kind, f"{fault}. Asked for: {scope}, with {whose}. Correct it and the adapter is pushed")
