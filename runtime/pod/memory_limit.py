"""Limits how much more memory this process may take, so that what asks for too much fails by itself, with a message.

Without that the kernel kills the process at the limit of its container, and what it was reading stays unknown.
"""

import resource
from pathlib import Path
from typing import Final

_STATUS: Final = Path("/proc/self/status")


def limit_memory(more: int) -> None:
    """From now on allocations beyond `more` bytes, in addition to what is taken, raise MemoryError; the limit counts
    private writable memory, not mapped files (RLIMIT_DATA)."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    wanted = _taken() + more
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _taken() -> int:
    """Bytes; the kernel writes kB and means KiB."""
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmData:"))
    return int(line.split()[1]) * 1024
