"""Lists what remains of Workspaces: pools, nodes, objects, Workspaces, workflows. After a clean-up: nothing.

The sources are ARM, the API server and Temporal themselves.
"""

import asyncio
from typing import Final

from api import labels
from testing.deadlines import PATIENCE_S
from testing.stack import Stack
from testing.workspaces import Workspaces

OWNED_KINDS: Final = ("Deployment", "Job", "Service", "ConfigMap", "PersistentVolumeClaim", "ControllerRevision", "Pod")
SYSTEM_POOL: Final = "system"
# All Nodes and Workspaces of such a stack are ours: labelled or not, all count except the system node.
WANTED: Final = (
    *((kind, labels.WORKSPACE_UID) for kind in OWNED_KINDS),
    ("Node", "kubernetes.azure.com/mode!=system"),
    ("Workspace", ""),
)
# The sweep, which runs every quarter of an hour, belongs to no Workspace and may have begun during a test.
RUNNING: Final = "WorkflowType = 'Workspace' AND ExecutionStatus = 'Running'"

Leftovers = dict[str, list[str]]


async def leftovers(stack: Stack, workspaces: Workspaces) -> Leftovers:
    """Returns names by kind, without empty kinds; {} means that everything was released."""
    listed = await asyncio.gather(*(_names(workspaces, kind, selector) for kind, selector in WANTED))
    found = {kind: names for (kind, _), names in zip(WANTED, listed, strict=True)}
    found["pool"] = await asyncio.to_thread(pools, stack)
    found["workflow"] = [one.id async for one in workspaces.client.list_workflows(RUNNING)]
    return {kind: names for kind, names in found.items() if names}


async def settled_leftovers(stack: Stack, workspaces: Workspaces, within_s: float = PATIENCE_S) -> Leftovers:
    """As `leftovers`, but waits up to `within_s` seconds for what is being deleted."""
    for _ in range(int(within_s / 0.5)):
        if not await leftovers(stack, workspaces):
            return {}
        await asyncio.sleep(0.5)
    return await leftovers(stack, workspaces)


def pools(stack: Stack) -> list[str]:
    """Returns every agent pool that was bought."""
    return sorted(name for name in stack.arm.state()["pools"] if name != SYSTEM_POOL)


def purchases(stack: Stack, pool: str) -> int:
    """Returns how many PUTs on this pool ARM has accepted so far."""
    operations = stack.arm.state()["operations"].values()
    return sum(one["pool"] == pool and one["kind"] in ("create", "update") for one in operations)


async def _names(workspaces: Workspaces, kind: str, selector: str) -> list[str]:
    items, _ = await workspaces.cluster.list_all(kind, selector=selector)
    return sorted(item["metadata"]["name"] for item in items)
