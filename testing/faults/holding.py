"""Holds Workspaces in every step of their lifecycle, so that a fault can hit each of them there.

What holds a step is always something that happens in production: a throttled or slow cloud, a frozen hub, GPUs that
appear late, a model that loads slowly. `release` unblocks the steps that do not continue by themselves.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

from kubernetes.aio.client.exceptions import ApiException

from api import labels, names
from testing.deadlines import PATIENCE_S
from testing.faults.processes import frozen
from testing.pods.rules import AnswerRule, PodRule, PodRules
from testing.stack import Stack
from testing.workspaces import PRESET, Workspaces, workspace

LONG_S: Final = 3600.0
# The model whose completions hang; the others respond at once.
HANGING: Final = "phi-2"
RUNNING_AT: Final = {
    "Preflight": "read_preflight",
    "ProvisionNodes": "ensure_node_pool",
    "AwaitNodes": "wait_for_nodes",
    "AwaitServing": "wait_for_serving",
    "Verify": "read_completions",
}


@dataclass
class Held:
    """Names of Workspaces by the step in which each is held, and their uids by name."""

    at: dict[str, str] = field(default_factory=dict)
    uids: dict[str, str] = field(default_factory=dict)

    def pool(self, step: str) -> str:
        return names.pool_name(self.uids[self.at[step]])


async def hold_in_waits(stack: Stack, workspaces: Workspaces, prefix: str, slow_s: float) -> Held:
    """Creates one Workspace for each step that waits; ARM lets the first two continue after `slow_s` seconds."""
    held = Held(at={step: f"{prefix}-{step.lower()}" for step in RUNNING_AT})
    stack.set_pods(
        PodRules(
            pods=[PodRule(workspace=held.at["AwaitServing"], ready_seconds=LONG_S)],
            answers=[AnswerRule(model=HANGING, seconds=LONG_S)],
        )
    )
    async with frozen(stack, "watcher"):  # no event may be handled before the faults are set, which need the uids
        bodies = [workspace(name, preset=HANGING if step == "Verify" else PRESET) for step, name in held.at.items()]
        held.uids = await workspaces.create(*bodies)
        await asyncio.to_thread(_set_faults, stack, held, slow_s)
    await asyncio.gather(*(workspaces.until_running(held.at[step], activity) for step, activity in RUNNING_AT.items()))
    return held


async def release(stack: Stack, workspaces: Workspaces) -> None:
    """Makes pods ready, completes completions, offers GPUs."""
    stack.set_pods(PodRules())
    nodes, _ = await workspaces.cluster.list_all("Node", selector=labels.WORKSPACE_UID)
    for node in nodes:
        if labels.GPU_RESOURCE not in node["status"]["allocatable"]:
            await _offer_gpu(workspaces, node["metadata"]["name"])


async def until_only_preflight_is_left(workspaces: Workspaces, name: str) -> None:
    """Waits until Deploy lacks only the result of the frozen worker."""
    async with asyncio.timeout(PATIENCE_S):
        while set(await workspaces.pending_activities(name)) != {"read_preflight"}:
            await asyncio.sleep(0.1)


def _set_faults(stack: Stack, held: Held, slow_s: float) -> None:
    throttled: dict[str, Any] = {"method": "GET", "route": "agentPool", "seconds": slow_s, "times": 1}
    stack.arm.add_fault("throttled", pool=held.pool("Preflight"), **throttled)
    stack.arm.add_fault("slow-operation", pool=held.pool("ProvisionNodes"), seconds=slow_s, times=1)
    stack.arm.add_fault("node-without-gpu", pool=held.pool("AwaitNodes"), times=1)


async def _offer_gpu(workspaces: Workspaces, node: str) -> None:
    """Does what a late device plugin does; the node may have been deleted by then."""
    patch = {"status": {kind: {labels.GPU_RESOURCE: "1"} for kind in ("capacity", "allocatable")}}
    path = f"/api/v1/nodes/{node}/status"
    try:
        await workspaces.cluster.request("PATCH", path, body=patch, content_type="application/merge-patch+json")
    except ApiException as refused:
        if refused.status != 404:
            raise
