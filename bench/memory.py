"""Peak resident memory of our own processes, as the kernel has recorded it."""

from pathlib import Path

from deploy.local.services.modelyard import PROGRAMS
from testing.stack import Stack


def peaks_mib(stack: Stack) -> dict[str, float]:
    """MiB by process: VmHWM, the largest resident set since the process started."""
    return {program.name: _peak_mib(stack.pid(program.name)) for program in PROGRAMS}


def _peak_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"the kernel reports no peak memory of process {pid}")
