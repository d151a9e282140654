"""Counts what there is of Workspaces, by asking those who would have it: ARM, the API server, Temporal.

Follows many Workspaces at once until each has arrived where it should, and notes when. Judges nothing.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from activities.clients.kubernetes import REQUEST_ERRORS, Object
from activities.clients.watch import observe
from api import labels, names
from testing.faults.bad_edits import serves_again
from testing.leftovers import SYSTEM_POOL, WANTED
from testing.stack import Stack
from testing.workspaces import NAMESPACE, Workspaces, is_failed, is_ready
from tests.chaos.judging import Goal

COUNTED: Final = ("Deployment", "Service", "Node")
LOOK_S: Final = 0.3


@dataclass(frozen=True)
class Inventory:
    """What there is by the uid of its Workspace: how many of each kind, and the generation that is deployed."""

    copies: Mapping[str, Counter[str]]
    deployed: Mapping[str, int]
    creations: Counter[str]


async def follow(
    workspaces: Workspaces, goals: Mapping[str, Goal], began: float, within_s: float
) -> dict[str, float | None]:
    """Seconds since `began` (monotonic) at which each was where it should be; None for those that were not in time."""
    arrived: dict[str, float | None] = dict.fromkeys(goals)
    until = datetime.now(UTC) + timedelta(seconds=began + within_s - time.monotonic())
    while datetime.now(UTC) < until and None in arrived.values():
        try:
            async for seen in observe(workspaces.cluster, "Workspace", NAMESPACE, selector="", until=until):
                for name, goal in goals.items():
                    if arrived[name] is None and _is_there(goal, seen.get(name)):
                        arrived[name] = time.monotonic() - began
                if None not in arrived.values():
                    break
        except REQUEST_ERRORS:  # the API server may be the one that was struck
            await asyncio.sleep(LOOK_S)
    return arrived


def _is_there(goal: Goal, found: Object | None) -> bool:
    if goal == "gone" or found is None:
        return found is None and goal == "gone"
    return {"ready": is_ready, "restored": serves_again, "failed": is_failed}[goal](found)


async def inventory(stack: Stack, workspaces: Workspaces) -> Inventory:
    """One look at everything."""
    copies: defaultdict[str, Counter[str]] = defaultdict(Counter)
    deployed: dict[str, int] = {}
    for kind in COUNTED:
        items, _ = await workspaces.cluster.list_all(kind, selector=labels.WORKSPACE_UID)
        for item in items:
            uid = item["metadata"]["labels"][labels.WORKSPACE_UID]
            copies[uid][kind] += 1
            if kind == "Deployment":
                deployed[uid] = int(item["metadata"]["annotations"][labels.GENERATION])
    state = await asyncio.to_thread(stack.arm.state)
    for pool in state["pools"].values():
        copies[_owner(pool)]["pool"] += 1
    creations = Counter(one["pool"] for one in state["operations"].values() if one["kind"] == "create")
    return Inventory(copies, deployed, creations)


async def what_is_left(stack: Stack, workspaces: Workspaces, within_s: float) -> dict[str, list[str]]:
    """By uid of the Workspace, "" for what names none; what is on its way out gets `within_s` to go."""
    deadline = time.monotonic() + within_s
    while (left := await _left(stack, workspaces)) and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_S)
    return left


async def _left(stack: Stack, workspaces: Workspaces) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for kind, selector in WANTED:
        items, _ = await workspaces.cluster.list_all(kind, selector=selector)
        for item in items:
            metadata = item["metadata"]
            named = (metadata.get("labels") or {}).get(labels.WORKSPACE_UID, "")
            found[metadata["uid"] if kind == "Workspace" else named].append(f"{kind} {metadata['name']}")
    for name, pool in (await asyncio.to_thread(stack.arm.state))["pools"].items():
        if name != SYSTEM_POOL:
            found[_owner(pool)].append(f"pool {name}")
    async for run in workspaces.client.list_workflows("WorkflowType = 'Workspace' AND ExecutionStatus = 'Running'"):
        memo = await run.memo()
        found[str(memo.get("uid", ""))].append(f"workflow {run.id}")
    return dict(found)


async def runs(workspaces: Workspaces, wanted: Collection[str]) -> Counter[str]:
    """How many executions each Workspace's workflow has had, running or ended."""
    ids = {names.workflow_id(NAMESPACE, name): name for name in wanted}
    listed = workspaces.client.list_workflows("WorkflowType = 'Workspace'")
    return Counter([ids[run.id] async for run in listed if run.id in ids])


def _owner(pool: Mapping[str, Any]) -> str:
    return str((pool["properties"].get("tags") or {}).get(labels.TAG_UID, ""))
