"""Control groups of a local node: one root per node, so that two kubelets do not remove each other's pods.

Works on cgroup v1 (a tree per controller; this is what is tested) and on v2 (one tree).
"""

import time
from pathlib import Path

MOUNTS = Path("/proc/self/mounts")
V2_CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids", "hugetlb")
REMOVE_DEADLINE_S = 10.0


class CgroupFailed(RuntimeError):
    """A control group cannot be removed because processes are still in it."""


def make(group: str) -> None:
    """Creates the group in every tree, with all CPUs and memory nodes."""
    for tree, kind in hierarchies(MOUNTS.read_text()):
        if kind == "cgroup2" and not _hand_down_controllers(tree):
            continue
        (tree / group).mkdir(exist_ok=True)
        for file in ("cpuset.cpus", "cpuset.mems"):
            # On v1 a new group has no CPUs or memory nodes, and accepts no process until they are set.
            if kind == "cgroup" and (tree / group / file).exists():
                (tree / group / file).write_text((tree / file).read_text())


def remove(group: str) -> None:
    """Removes the group and all below it, after their processes have ended. Raises CgroupFailed."""
    for tree, _ in hierarchies(MOUNTS.read_text()):
        root = tree / group
        if root.is_dir():
            for folder in [*sorted((path for path in root.rglob("*/")), reverse=True), root]:
                _remove_one(folder)


def groups(prefix: str) -> list[Path]:
    """Returns every group whose name starts with `prefix`, in every tree."""
    return [path for tree, _ in hierarchies(MOUNTS.read_text()) for path in tree.glob(f"{prefix}*") if path.is_dir()]


def hierarchies(mounts: str) -> list[tuple[Path, str]]:
    """Returns mount point and kind ("cgroup", "cgroup2") of every tree in the text of /proc/self/mounts."""
    fields = [line.split() for line in mounts.splitlines()]
    return [(Path(each[1]), each[2]) for each in fields if each[2] in ("cgroup", "cgroup2")]


def _hand_down_controllers(tree: Path) -> bool:
    """Enables the controllers for groups below the root; returns False on v1, whose trees need none."""
    offered = (tree / "cgroup.controllers").read_text().split()
    wanted = [name for name in V2_CONTROLLERS if name in offered]
    if wanted:
        (tree / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in wanted))
    return bool(wanted)


def _remove_one(folder: Path) -> None:
    deadline = time.monotonic() + REMOVE_DEADLINE_S
    while folder.is_dir():
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            # A killed process leaves its group a moment after it has ended.
            if time.monotonic() > deadline:
                raise CgroupFailed(f"{folder} is still in use: {error}") from error
            time.sleep(0.05)
