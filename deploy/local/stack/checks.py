"""Checks whether this machine can run a local stack: root, operating system, memory, disk, free ports.

All problems are reported at once, each with its fix. Missing packages are not a problem: `packages.py` installs them.
"""

import os
import platform
import shutil
from pathlib import Path

from deploy.local.host import daemons
from deploy.local.host.listeners import Listener, listeners
from deploy.local.host.processes import in_session
from deploy.local.layout import Layout

GIB = 1 << 30
# First run: Kubernetes sources and build 5, runtime environment 4, image build and its layers 9, unpacked on a node 4.
# (More if torch has no CPU build, see docs/local-stack.md; the build is not chosen yet at this point.)
DISK_FIRST_RUN_GIB = 25
# Later: the registry and the images unpacked by each new node.
DISK_GIB = 8
# vLLM with a small model takes 4.5 GiB, the control plane and two nodes under 1 GiB.
MEMORY_GIB = 6


class MachineUnfit(RuntimeError):
    """The machine cannot run the stack; the message lists every problem with its fix."""


def check_machine(layout: Layout, addresses: dict[str, tuple[str, int]], *, root: bool) -> None:
    """Raises MachineUnfit. `addresses` are those that this stack will listen on; `root`: whether it needs root."""
    problems = [
        *(root_problems(os.geteuid()) if root else []),
        *system_problems(platform.system(), platform.machine()),
        *memory_problems(memory_available(Path("/proc/meminfo").read_text())),
        *disk_problems(_free_by_disk(layout), layout.cache.exists()),
        *port_problems(addresses, layout.instance, listeners(), own_pids(layout)),
    ]
    if problems:
        raise MachineUnfit("\n".join(f"- {problem}" for problem in problems))


def own_pids(layout: Layout) -> set[int]:
    """Returns every process of this instance's daemons: the ports that they hold do not conflict."""
    leaders = daemons.running(layout).values()
    return {process.pid for leader in leaders for process in in_session(leader)}


def root_problems(effective_uid: int) -> list[str]:
    if effective_uid == 0:
        return []
    return [
        "root is needed: nodes are made of network namespaces, mounts and cgroups. "
        "Fix: run the same command with sudo, or use --kubeconfig FILE with a cluster that already exists"
    ]


def system_problems(system: str, machine: str) -> list[str]:
    if system == "Linux" and machine in ("x86_64", "aarch64"):
        return []
    return [f"{system} on {machine} cannot run it. Fix: use Linux on x86_64 or aarch64 (a virtual machine will do)"]


def memory_available(meminfo: str) -> float:
    """Returns the GiB that can be used without swapping, from the text of /proc/meminfo."""
    for line in meminfo.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / (1 << 20)
    raise ValueError("/proc/meminfo has no MemAvailable line")


def memory_problems(available_gib: float) -> list[str]:
    if available_gib >= MEMORY_GIB:
        return []
    return [
        f"{available_gib:.1f} GiB of memory are available and {MEMORY_GIB} GiB are needed to serve a small model. "
        "Fix: end what uses it (`ps aux --sort=-rss | head`) or use a larger machine"
    ]


def disk_problems(free_by_folder: dict[Path, int], cached: bool) -> list[str]:
    """`free_by_folder` has one folder for each file system, with its free bytes."""
    need = DISK_GIB if cached else DISK_FIRST_RUN_GIB
    return [
        f"{folder} has {free / GIB:.1f} GiB free and {need} GiB are needed. Fix: free some, or put the cache and the "
        "state elsewhere with XDG_CACHE_HOME and MODELYARD_HOME"
        for folder, free in free_by_folder.items()
        if free < need * GIB
    ]


def port_problems(
    addresses: dict[str, tuple[str, int]], instance: str, taken: list[Listener], own: set[int]
) -> list[str]:
    """Returns one line for each port that another process listens on: which, by whom, what to do."""
    return [
        f"port {port} ({name}) is taken by {listener}. "
        f"Fix: stop that process, or choose other ports with --instance (this is '{instance}')"
        for name, (host, port) in addresses.items()
        for listener in taken
        if listener.port == port and listener.conflicts_with(host) and listener.pid not in own
    ]


def _free_by_disk(layout: Layout) -> dict[Path, int]:
    """Returns the free bytes of each file system that the stack writes to, under the first of its folders there."""
    found: dict[int, tuple[Path, int]] = {}
    for folder in (layout.cache, layout.state, Path("/var/lib/containers")):
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        found.setdefault(there.stat().st_dev, (folder, shutil.disk_usage(there).free))
    return dict(found.values())
