"""What one Workspace writes and asks: its life (made, Ready, deleted), an edit, an hour at rest. Counts, no times.

Events and bytes are those of its history in Temporal, Actions what Temporal's cloud would bill for it; calls are those
of all our processes to the API server and ARM.
`budgets.py` has what they may be.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from typing import Any, Final

from api import names
from bench.lives.actions import read_actions
from bench.lives.budgets import BUDGETS
from bench.lives.counting import Calls, Counted, by_call
from bench.lives.histories import Written, written_at_rest
from bench.lives.sweeping import actions_of_a_sweep
from bench.results import Result
from testing.api_calls import Seen
from testing.deadlines import PATIENCE_S
from testing.stack import Stack
from testing.workspaces import NAMESPACE, Workspaces, workspace
from workflows.messages import SIGNAL_CHANGED, Changed

# As in the comparison with KAITO's controllers, whose figures are among the goals.
PACE: Final[dict[str, Any]] = {"create_seconds": 3.0, "delete_seconds": 2.0, "retry_after_seconds": 1}
IDLE_S: Final = 20.0
OPTIONS: Final = "vllm:\n  max-model-len: 1024\n"


@dataclass(frozen=True)
class Cost:
    """Of one stage."""

    written: Written = field(default_factory=Written)
    calls: Calls = field(default_factory=lambda: Calls(Seen(), Counter()))
    actions: "Counter[str]" = field(default_factory=Counter)

    def figures(self, stage: str) -> dict[str, float]:
        """Returns the figures that budgets are about, by name."""
        return {
            f"{stage}_events": self.written.events,
            f"{stage}_bytes": self.written.bytes,
            f"{stage}_api_calls": self.calls.api.calls.total(),
            f"{stage}_arm_calls": self.calls.arm.total(),
            f"{stage}_actions": self.actions.total(),
        }

    def told(self, stage: str) -> dict[str, str]:
        """Returns what each figure is made of, by its name."""
        kinds = ", ".join(f"{kind} {count}" for kind, count in self.written.kinds.most_common())
        refused = f"refused: {dict(self.calls.api.refused) or 'none'}"
        return {
            f"{stage}_events": kinds,
            f"{stage}_bytes": "of these events",
            f"{stage}_api_calls": f"{by_call(self.calls.api.calls)}; {refused}",
            f"{stage}_arm_calls": by_call(self.calls.arm),
            f"{stage}_actions": by_call(self.actions),
        }

    def plus(self, other: "Cost") -> "Cost":
        """Returns both stages together."""
        api = Seen(
            self.calls.api.calls + other.calls.api.calls, refused=self.calls.api.refused + other.calls.api.refused
        )
        calls = Calls(api, self.calls.arm + other.calls.arm)
        return Cost(self.written.plus(other.written), calls, self.actions + other.actions)


class OneLife:
    """A Workspace, stage after stage, each with its cost."""

    def __init__(self, stack: Stack, workspaces: Workspaces, name: str) -> None:
        self._workspaces, self._name = workspaces, name
        self._layout, self._counted = stack.layout, Counted(stack)
        self._workflow = names.workflow_id(NAMESPACE, name)
        self._written = Written()
        self._uid = ""

    async def costs(self) -> dict[str, Cost]:
        """Lives one life from the first apply to the end; returns the cost by stage: life, edit, hour, idle."""
        up = await self._stage(self._up())
        idle = await self._stage(asyncio.sleep(IDLE_S))
        hour = await self._stage(self._look())
        edit = await self._stage(self._edit())
        down = await self._stage(self._down())
        return {"life": up.plus(down), "edit": edit, "hour": hour, "idle": idle}

    async def _stage(self, work: Awaitable[None]) -> Cost:
        await self._counted.begin()
        before = await asyncio.to_thread(read_actions, self._layout)
        await work
        written = await written_at_rest(self._workspaces.client, self._workflow)
        actions = await asyncio.to_thread(read_actions, self._layout) - before
        cost = Cost(written.since(self._written), await self._counted.end(), actions)
        self._written = written
        return cost

    async def _up(self) -> None:
        self._uid = (await self._workspaces.create(workspace(self._name)))[self._name]
        await self._workspaces.until_ready(self._name, within_s=PATIENCE_S)

    async def _look(self) -> None:
        """The hourly look, signalled rather than awaited."""
        changed = Changed(uid=self._uid, generation=0, resync=True)
        await self._workspaces.handle(self._name).signal(SIGNAL_CHANGED, changed)

    async def _edit(self) -> None:
        """Options of vLLM from a ConfigMap: the workload is replaced, the nodes stay."""
        metadata = {"name": f"{self._name}-options", "namespace": NAMESPACE}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        await self._workspaces.cluster.create("ConfigMap", body | {"data": {"inference_config.yaml": OPTIONS}})
        edit = [{"op": "add", "path": "/inference/config", "value": metadata["name"]}]
        await self._workspaces.cluster.patch("Workspace", self._name, NAMESPACE, edit)
        await self._workspaces.until_ready(self._name, within_s=PATIENCE_S)

    async def _down(self) -> None:
        await self._workspaces.delete(self._name)
        await self._workspaces.until_gone(self._name, within_s=PATIENCE_S)


async def measured(stack: Stack, workspaces: Workspaces, name: str) -> dict[str, Cost]:
    """Lives one life at the pace of the comparison; afterwards the emulator has its former settings."""
    former = stack.arm.state()["settings"]
    stack.arm.change_settings(**PACE)
    costs = await OneLife(stack, workspaces, name).costs()
    stack.arm.change_settings(**former)
    return costs


async def measure(stack: Stack, workspaces: Workspaces) -> AsyncIterator[Result]:
    """Yields every figure with its goal."""
    for stage, cost in (await measured(stack, workspaces, "one-life")).items():
        told = cost.told(stage)
        for name, value in cost.figures(stage).items():
            yield Result(name, value, name.rpartition("_")[2], told[name], goal=BUDGETS[name].goal)
    swept = await actions_of_a_sweep(stack, workspaces)
    yield Result("sweep_actions", swept.total(), "actions", by_call(swept))
