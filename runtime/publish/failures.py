"""How publishing can fail: the reason that the Workspace's status shows, the exit code, and whether a retry helps.

    Failure
      config 31, adapter incomplete 70    the user has to act: not retried
      forbidden 71                        tried again when the Secret was corrected; the adapter is kept
      unreachable 72, full 73             tried again; the adapter is kept
      rejected 74                         the registry does not want this content

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
    # Registries that hide what one may not see answer 404 to a push into a repository that is not there.
    Trouble.NOT_FOUND: FORBIDDEN,
    Trouble.UNREACHABLE: UNREACHABLE,
    Trouble.FULL: FULL,
    Trouble.REJECTED: REJECTED,
    Trouble.DAMAGED: REJECTED,
}


def failure_of(fault: RegistryFault, scope: str, whose: str) -> Failure:
    """The failure that a registry's fault means; one of rights says with which Secret, for which rights."""
    kind = _KIND_OF[fault.trouble]
    if kind is not FORBIDDEN:
        return Failure(kind, str(fault))
    return Failure(kind, f"{fault}. Asked for: {scope}, with {whose}. Correct it and the adapter is pushed")
