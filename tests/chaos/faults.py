"""What is injected: faults of processes, which strike every Workspace at once, and faults of single Workspaces.

A fault of a process has two halves: the strike, while every Workspace stands in its step, and the mending, after which
the process runs again. What the fault leaves of a Workspace is to be judged by others.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import psutil

from api.resource.status import Step
from testing.faults.processes import await_end, send
from testing.workspaces import NAMESPACE
from tests.chaos.judging import Goal, Injection
from tests.chaos.standing import ARRIVING, LEAVING, STEPS, Scene, Stand

CHANGED_PRESET: Final = "phi-3-mini-4k-instruct"


@dataclass(frozen=True)
class ProcessFault:
    """These processes get this signal, end, and are started again."""

    name: str
    processes: tuple[str, ...]
    number: signal.Signals = signal.SIGKILL

    def injections(self) -> list[Injection]:
        """One per step."""
        return [Injection(step, self.name, goal="gone" if step in LEAVING else "ready") for step in STEPS]

    def strike(self, scene: Scene) -> list[psutil.Process]:
        """They have been signalled; those killed have ended."""
        processes = send(scene.stack, self.number, *self.processes)
        if self.number is signal.SIGKILL:
            await_end(processes)
        return processes

    async def mend(self, scene: Scene, struck: list[psutil.Process]) -> None:
        """Waits until they have ended, then starts them again."""
        await asyncio.to_thread(await_end, struck)
        await asyncio.to_thread(scene.stack.start_again, *self.processes)


WORKERS: Final = ("worker-cluster", "worker-cloud")
PROCESS_FAULTS: Final = (
    ProcessFault("cluster worker killed", ("worker-cluster",)),
    ProcessFault("cloud worker killed", ("worker-cloud",)),
    ProcessFault("both workers killed", WORKERS),
    ProcessFault("cluster worker ended", ("worker-cluster",), signal.SIGTERM),
    ProcessFault("cloud worker ended", ("worker-cloud",), signal.SIGTERM),
    ProcessFault("both workers ended", WORKERS, signal.SIGTERM),
    ProcessFault("watcher killed", ("watcher",)),
    ProcessFault("Temporal killed", ("temporal",)),
    ProcessFault("API server killed", ("kube-apiserver",)),
    ProcessFault("ARM killed", ("arm",)),
)


@dataclass(frozen=True)
class WorkspaceFault:
    """What happens to one Workspace. `strike` returns the id of the ARM fault that it set, "" where there is none."""

    name: str
    strike: Callable[[Scene, Stand], Awaitable[str]]
    steps: tuple[Step, ...] = STEPS
    goal: Goal = "ready"

    def injections(self) -> list[Injection]:
        """One per step in which it can strike."""
        return [Injection(step, self.name, goal="gone" if step in LEAVING else self.goal) for step in self.steps]


async def _server_error(scene: Scene, stand: Stand) -> str:
    return await _arm_fault(scene, stand, "server-error", method="*", status=503, times=2)


async def _throttled(scene: Scene, stand: Stand) -> str:
    return await _arm_fault(scene, stand, "throttled", method="*", seconds=1, times=2)


async def _lost_response(scene: Scene, stand: Stand) -> str:
    """The answer to the next write is lost: the purchase where it is still to come, otherwise the delete. A delete that
    runs already is asked after."""
    before = stand.injection.step in (Step.SIZE, Step.PREFLIGHT, Step.PREPARE_MODEL)
    method = "GET" if stand.injection.step == Step.RELEASE_NODES else "PUT" if before else "DELETE"
    return await _arm_fault(scene, stand, "lost-response", method=method, times=1)


async def _arm_fault(scene: Scene, stand: Stand, kind: str, **narrowed: object) -> str:
    fault = await asyncio.to_thread(scene.stack.arm.add_fault, kind, pool=stand.pool, **narrowed)
    return str(fault["id"])


async def _spec_changed(scene: Scene, stand: Stand) -> str:
    edit = [{"op": "replace", "path": "/inference/preset/name", "value": CHANGED_PRESET}]
    await scene.workspaces.cluster.patch("Workspace", stand.name, NAMESPACE, edit)
    return ""


async def _deleted(scene: Scene, stand: Stand) -> str:
    await scene.workspaces.delete(stand.name)
    return ""


# In Forget nothing is left at ARM to ask for.
WITH_ARM: Final = (*ARRIVING, Step.UNDEPLOY, Step.RELEASE_NODES)
ARM_ANSWERS: Final = (
    WorkspaceFault("ARM answers 503", _server_error, WITH_ARM),
    WorkspaceFault("ARM answers 429", _throttled, WITH_ARM),
    WorkspaceFault("ARM answer lost", _lost_response, WITH_ARM),
)
PEOPLE: Final = (
    WorkspaceFault("spec changed", _spec_changed),
    WorkspaceFault("Workspace deleted", _deleted, goal="gone"),
)
