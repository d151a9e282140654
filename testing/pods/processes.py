"""The processes of containers on a local stack's nodes, as this machine sees them."""

from collections.abc import Callable

import psutil

from deploy.local.layout import Layout


def in_containers(layout: Layout, module: str) -> list[psutil.Process]:
    """Returns the processes that run a Python module inside pods of this stack, the oldest first."""
    return _on_nodes(layout, lambda argv: "-m" in argv and argv[argv.index("-m") + 1 :][:1] == [module])


def of_program(layout: Layout, *beginning: str) -> list[psutil.Process]:
    """Returns the processes inside pods of this stack whose command line begins so, the oldest first."""
    return _on_nodes(layout, lambda argv: tuple(argv[: len(beginning)]) == beginning)


def _on_nodes(layout: Layout, wanted: Callable[[list[str]], bool]) -> list[psutil.Process]:
    found = [process for process in psutil.process_iter() if wanted(_argv(process)) and _is_on_node(process, layout)]
    return sorted(found, key=lambda process: process.create_time())


def _argv(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _is_on_node(process: psutil.Process, layout: Layout) -> bool:
    """By its control group, which begins with that of its node."""
    try:
        with open(f"/proc/{process.pid}/cgroup") as groups:
            return f"/modelyard-{layout.instance}-" in groups.read()
    except OSError:
        return False
