"""Takes a local stack down: every process, node and network part of the instance, dependents first.

Caches and state are kept, so that `up` continues where the stack stopped; only a purge deletes the state.
"""

import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TextIO

from deploy.local.cluster.control_plane import stop_control_plane
from deploy.local.host import daemons
from deploy.local.host.commands import stop_commands
from deploy.local.layout import Layout, Report
from deploy.local.network.bridge import tear_down_network
from deploy.local.nodes.node import list_nodes, stop_node
from deploy.local.services import forwarders, modelyard, temporal
from deploy.local.stack.choices import Choices, forget, recall
from deploy.local.stack.graph import SYSTEM_NODE
from deploy.local.stack.progress import progress_for
from deploy.local.stack.runner import Step, run_steps


class StillRunning(RuntimeError):
    """Daemons of an instance still run after everything was stopped."""


def take_down(instance: str, *, purge: bool = False, stream: TextIO = sys.stdout) -> dict[str, float]:
    """Stops everything of an instance; with `purge` also deletes its state. Returns the seconds of each step.

    Works on a full stack, a partial one, or none. Raises StepFailed, after showing it.
    """
    layout = (recall(instance) or Choices()).layout(instance)
    steps = steps_of(layout, purge=purge)
    with progress_for(steps, stream) as display:
        return run_steps(steps, display, stop_commands=stop_commands)


def steps_of(layout: Layout, *, purge: bool) -> list[Step]:
    """Returns the graph of going down: clients first, their stores last."""
    # The ARM emulator stops before the nodes: it would restart those that its pools should have.
    programs = [_stop(layout, name, ()) for name in _programs(layout)]
    if layout.with_nodes:
        # The pods of the control plane are there.
        programs.append(Step("system node", _call(stop_node, layout, SYSTEM_NODE.name)))
    named = tuple(step.name for step in programs)
    steps = [
        *programs,
        _stop(layout, "arm", named),
        Step("temporal", _call(daemons.stop, layout, temporal.NAME, temporal.STOP_S), named),
        _stop(layout, "mirror", ("arm",)),
    ]
    if layout.with_nodes:
        steps += _cluster(layout)
    all_of_them = tuple(step.name for step in steps)
    steps.append(Step("the rest", partial(_finish, layout), all_of_them))
    if purge:
        steps.append(Step("state", partial(_purge, layout), ("the rest",)))
    return steps


def _programs(layout: Layout) -> list[str]:
    """Names of Modelyard's own daemons, whether it runs as pods or as processes: one that does not run is stopped."""
    return [*(program.name for program in modelyard.programs(layout)), *forwarders.NAMES]


def _cluster(layout: Layout) -> list[Step]:
    return [
        Step("nodes", partial(_stop_nodes, layout), ("arm",)),
        Step("control plane", _call(stop_control_plane, layout), ("nodes",)),
        _stop(layout, "registry", ("nodes",)),
        Step("network", _call(tear_down_network, layout), ("control plane", "registry", "temporal", "mirror")),
    ]


def _stop_nodes(layout: Layout, report: Report) -> None:
    """Lists the nodes only now: until the emulator was stopped, it could add some."""
    names = list_nodes(layout)
    if not names:
        return
    report(f"stopping {', '.join(names)}")
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(partial(stop_node, layout), names))


def _stop(layout: Layout, name: str, needs: tuple[str, ...]) -> Step:
    return Step(name, _call(daemons.stop, layout, name), needs, daemons.log_of(layout, name))


def _call(action: Callable[..., None], *arguments: object) -> Callable[[Report], None]:
    return lambda report: action(*arguments)


def _finish(layout: Layout, report: Report) -> None:
    """Stops daemons that no step knows, so that a stack of an older version is removed as well."""
    for name in daemons.running(layout):
        report(f"stopping {name}")
        daemons.stop(layout, name)
    if left := daemons.running(layout):
        raise StillRunning(f"still running: {', '.join(f'{name} (pid {pid})' for name, pid in left.items())}")
    forget(layout)


def _purge(layout: Layout, report: Report) -> None:
    report(f"deleting {layout.state}")
    if layout.state.exists():
        shutil.rmtree(layout.state)
