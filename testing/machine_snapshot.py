"""Snapshots of what a local stack could leave on this machine, as sets of lines to compare before and after.

Other stacks may run beside the one under test: lines with their names and addresses are left out.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.local.host import cgroups, mount_points, processes
from deploy.local.layout import INSTANCES, Layout
from testing.deadlines import PATIENCE_S


@dataclass(frozen=True)
class Snapshot:
    processes: frozenset[str]
    mounts: frozenset[str]
    links: frozenset[str]
    namespaces: frozenset[str]
    routes: frozenset[str]
    firewall: frozenset[str]
    groups: frozenset[str]
    folders: frozenset[str]


def snapshot(layout: Layout) -> Snapshot:
    strangers = _marks_of(_others(layout))

    def kept(lines: list[str]) -> frozenset[str]:
        return frozenset(line for line in lines if not strangers.search(line))

    # Image builds that run beside the test mount their layers in the host's mount namespace.
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if "/storage/overlay/" not in line]
    return Snapshot(
        processes=frozenset(_processes_of(layout)),
        mounts=kept(mounts),
        links=kept([path.name for path in Path("/sys/class/net").iterdir()]),
        namespaces=kept([path.name for path in Path("/run/netns").glob("*")]),
        routes=kept(_lines("ip", "route", "show", "table", "all")),
        firewall=kept([line for line in _lines("iptables-save") if line.startswith("-A") or line.startswith(":KUBE")]),
        folders=frozenset(_mount_points(layout)),
        groups=kept([str(path) for path in cgroups.groups("modelyard-")]),
    )


def _processes_of(layout: Layout) -> list[str]:
    """Returns all processes started with this stack's home, or running in one of its cgroups."""
    home = f"MODELYARD_HOME={os.environ['MODELYARD_HOME']}".encode()
    found = []
    for process in processes.all_processes():
        if process.pid == os.getpid() or not processes.is_running(process):
            continue
        try:
            environment = Path(f"/proc/{process.pid}/environ").read_bytes()
            groups = Path(f"/proc/{process.pid}/cgroup").read_text()
            name = Path(f"/proc/{process.pid}/comm").read_text().strip()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if home in environment.split(b"\0") or f"modelyard-{layout.instance}-" in groups:
            found.append(f"{name} {process.pid}")
    return found


def _mount_points(layout: Layout) -> list[str]:
    """Returns the fixed mount points, unless another stack is up: it needs them, and removes them before its bridge."""
    if any(Path("/sys/class/net", other.bridge).exists() for other in _others(layout)):
        return []
    found = (mount_points.KUBELET, mount_points.CONTAINERD, mount_points.GUARD)
    return [str(path) for path in found if path.exists()]


def _others(layout: Layout) -> list[Layout]:
    return [Layout.of(name) for name in INSTANCES if name != layout.instance]


def _marks_of(others: list[Layout]) -> re.Pattern[str]:
    marks = []
    for other in others:
        prefixes = [str(net.network_address).removesuffix(".0") for net in (other.node_subnet,)]
        prefixes += [str(net.network_address).removesuffix("0.0") for net in (other.pod_range, other.service_range)]
        names = (f"modelyard-{other.instance}", other.bridge, f"my{other.index}n", *prefixes)
        marks += [re.escape(mark) for mark in names]
    return re.compile("|".join(marks))


def _lines(*argv: str) -> list[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=PATIENCE_S).stdout.splitlines()
