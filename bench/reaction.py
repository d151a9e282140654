"""How long from a Workspace's edit to its new workload, when the nodes are there already.

The nodes of a Workspace are its own, so "already there" is an edit of one that serves: its pool stays, its workload
is applied anew. The clock starts before the API server gets the edit and ends when it has the Deployment with the new
digest, seen by a watch on the same machine.
"""

import asyncio
import time
from typing import Final

from activities.kubernetes_api import Object
from api import labels, names
from bench.figures import Figure, p50, p90, tell
from tests.harness.stack import Stack
from tests.harness.workspaces import NAMESPACE, Workspaces, connected, workspace

ROUNDS: Final = 20
GOAL_S: Final = 0.5
NAME: Final = "reaction"


async def measure(stack: Stack) -> None:
    """Prints p50 and p90 over ROUNDS edits."""
    async with connected(stack.layout) as workspaces:
        await workspaces.create(workspace(NAME))
        await workspaces.until_ready(NAME, within_s=120)
        seconds = [await _edit(workspaces, number) for number in range(ROUNDS)]
        await workspaces.delete(NAME)
        await workspaces.until_gone(NAME, within_s=120)
    note = f"{ROUNDS} edits of a serving Workspace, edit to Deployment with the new digest"
    tell(
        Figure("apply_to_workload_p50", p50(seconds), "s", GOAL_S, note),
        Figure("apply_to_workload_p90", p90(seconds), "s", None, note),
    )


async def _edit(workspaces: Workspaces, number: int) -> float:
    before = await workspaces.cluster.get("Deployment", names.workload(NAME), NAMESPACE)
    assert before is not None
    changed = asyncio.create_task(_digest_changes(workspaces, before))
    await asyncio.sleep(0.2)  # the watch is open before the clock starts
    body = workspace(NAME) | {"resource": _resource(number)}
    started = time.monotonic()
    await workspaces.cluster.apply("Workspace", body)
    ended = await asyncio.wait_for(changed, timeout=60)
    await workspaces.until_ready(NAME, within_s=120)
    return ended - started


def _resource(number: int) -> Object:
    """A selector label that no node needs: a new generation, another digest, the same machines."""
    resource: Object = dict(workspace(NAME)["resource"])
    return resource | {"preferredNodes": [f"round-{number}"]}


async def _digest_changes(workspaces: Workspaces, before: Object) -> float:
    old = before["metadata"]["annotations"][labels.CONFIG_HASH]
    since = before["metadata"]["resourceVersion"]
    async for _, item in workspaces.cluster.watch("Deployment", NAMESPACE, since=since, seconds=60):
        if (item["metadata"].get("annotations") or {}).get(labels.CONFIG_HASH, old) != old:
            return time.monotonic()
    raise TimeoutError("no new workload in 60 s")
