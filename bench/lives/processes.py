"""Processor time and memory of a stack's processes, as the kernel has them, by the name of the daemon."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from bench.lives.budgets import RESIDENT_GOALS
from bench.results import Result
from deploy.local.host import daemons
from testing.stack import Stack

BESIDE: Final = ("temporal", "kube-apiserver", "etcd", "arm")
"""What a Workspace makes work beside our own processes; controllers and the simulated kubelet work for the pods."""
MACHINE: Final = "machine"
"""Under this name: everything that runs on the machine."""
MIB: Final = 2**20


@dataclass(frozen=True)
class Used:
    """Of one process: CPU seconds so far, and MiB now; `proportional` divides what several processes share, `peak` is
    the largest resident set so far."""

    cpu_s: float
    resident: float
    proportional: float
    peak: float


def used(stack: Stack) -> dict[str, Used]:
    """Of every daemon of the stack, of this process as `bench`, and the CPU seconds of the whole machine."""
    found = {name: used_by(psutil.Process(pid)) for name, pid in daemons.running(stack.layout).items()}
    times = psutil.cpu_times()
    busy = sum(times) - times.idle - times.iowait - times.guest - times.guest_nice  # guests are part of user and nice
    return found | {"bench": used_by(psutil.Process(os.getpid())), MACHINE: Used(busy, 0.0, 0.0, 0.0)}


def cpu_results(
    what: str, before: Mapping[str, Used], after: Mapping[str, Used], per: float, measured: tuple[str, ...]
) -> list[Result]:
    """CPU seconds between two looks: those of `measured` together for each of `per` Workspaces, then of every process
    and of what else runs on the machine, which makes all times longer.

    A process that was started in between counts from its start; what did nothing is left out.
    """
    spent = {name: now.cpu_s - (before[name].cpu_s if name in before else 0.0) for name, now in after.items()}
    machine = spent.pop(MACHINE, sum(spent.values()))
    spent["others"] = machine - sum(spent.values())
    together = sum(seconds for name, seconds in spent.items() if name in measured)
    n = round(per)
    each = [
        Result(f"cpu_{what}_{name}", seconds, "s", "CPU seconds", n=n)
        for name, seconds in sorted(spent.items(), key=lambda one: -one[1])
        if seconds > 0
    ]
    how = f"CPU seconds of {', '.join(measured)}; {together:.1f} in all"
    return [Result(f"cpu_{what}_per_life", together / per, "s", how, n=n), *each]


def memory_results(what: str, now: Mapping[str, Used], n: int, measured: tuple[str, ...]) -> list[Result]:
    """Resident memory of `measured`, each and together."""
    ours = {name: now[name] for name in measured}
    each = [
        Result(f"resident_{what}_{name}", one.resident, "MiB", f"peak {one.peak:.0f}; PSS {one.proportional:.0f}", n=n)
        for name, one in ours.items()
    ]
    proportional, peak = (
        sum(values) for values in zip(*((o.proportional, o.peak) for o in ours.values()), strict=True)
    )
    how = f"of {', '.join(ours)}; peaks {peak:.0f}; PSS {proportional:.0f}"
    together = sum(one.resident for one in ours.values())
    return [Result(f"resident_{what}_all", together, "MiB", how, RESIDENT_GOALS.get(what), n), *each]


def used_by(process: psutil.Process) -> Used:
    """Returns what the kernel has of one process."""
    times, memory = process.cpu_times(), process.memory_full_info()
    return Used(times.user + times.system, memory.rss / MIB, memory.pss / MIB, _peak_mib(process.pid))


def _peak_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"the kernel reports no peak memory of process {pid}")
