"""The processes of containers on a local stack's nodes, as this machine sees them."""

import psutil

from deploy.local.layout import Layout


def in_containers(layout: Layout, module: str) -> list[psutil.Process]:
    """Returns the processes that run a Python module inside pods of this stack, the oldest first."""
    found = [process for process in psutil.process_iter() if _runs(process, module) and _is_on_node(process, layout)]
    return sorted(found, key=lambda process: process.create_time())


def _runs(process: psutil.Process, module: str) -> bool:
    try:
        argv = process.cmdline()
    except psutil.Error:
        return False
    return "-m" in argv and argv[argv.index("-m") + 1 :][:1] == [module]


def _is_on_node(process: psutil.Process, layout: Layout) -> bool:
    """By its control group, which begins with that of its node."""
    try:
        with open(f"/proc/{process.pid}/cgroup") as groups:
            return f"/modelyard-{layout.instance}-" in groups.read()
    except OSError:
        return False
