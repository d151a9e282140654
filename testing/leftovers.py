"""What is left of Workspaces: pools, nodes, objects, Workspaces, workflows. After a clean-up there must be nothing.

Asked of those who would have it: ARM, the API server, Temporal.
"""

import asyncio
from typing import Final

from api import labels
from testing.deadlines import PATIENCE_S
from testing.stack import Stack
from testing.workspaces import Workspaces

OWNED_KINDS: Final = ("Deployment", "Job", "Service", "ConfigMap", "PersistentVolumeClaim", "Pod")
SYSTEM_POOL: Final = "system"
# In such a stack nobody else has Nodes or Workspaces: labelled or not, all count but the node that is always there.
WANTED: Final = (
    *((kind, labels.WORKSPACE_UID) for kind in OWNED_KINDS),
    ("Node", "kubernetes.azure.com/mode!=system"),
    ("Workspace", ""),
)
# The sweep that runs every quarter of an hour is nobody's; it may have begun in the middle of a test.
RUNNING: Final = "WorkflowType = 'Workspace' AND ExecutionStatus = 'Running'"

Leftovers = dict[str, list[str]]


async def leftovers(stack: Stack, workspaces: Workspaces) -> Leftovers:
    """Names by kind, kinds without any left out; {} means that everything was given back."""
    listed = await asyncio.gather(*(_names(workspaces, kind, selector) for kind, selector in WANTED))
    found = {kind: names for (kind, _), names in zip(WANTED, listed, strict=True)}
    found["pool"] = await asyncio.to_thread(pools, stack)
    found["workflow"] = [one.id async for one in workspaces.client.list_workflows(RUNNING)]
    return {kind: names for kind, names in found.items() if names}


async def settled_leftovers(stack: Stack, workspaces: Workspaces, within_s: float = PATIENCE_S) -> Leftovers:
    """As `leftovers`, but what is on its way out gets this long to go."""
    for _ in range(int(within_s / 0.5)):
        if not await leftovers(stack, workspaces):
            return {}
        await asyncio.sleep(0.5)
    return await leftovers(stack, workspaces)


def pools(stack: Stack) -> list[str]:
    """Every agent pool that somebody bought."""
    return sorted(name for name in stack.arm.state()["pools"] if name != SYSTEM_POOL)


def purchases(stack: Stack, pool: str) -> int:
    """How many PUTs on this pool ARM has accepted so far."""
    operations = stack.arm.state()["operations"].values()
    return sum(one["pool"] == pool and one["kind"] in ("create", "update") for one in operations)


async def _names(workspaces: Workspaces, kind: str, selector: str) -> list[str]:
    items, _ = await workspaces.cluster.list_all(kind, selector=selector)
    return sorted(item["metadata"]["name"] for item in items)
