"""Processes that end in the middle: every Workspace becomes Ready all the same, with one pool and one workload each."""

import asyncio
import contextlib

from api import labels, names
from testing.faults.holding import Held, hold_in_waits, release, until_only_preflight_is_left
from testing.faults.processes import frozen, kill, restart
from testing.leftovers import purchases
from testing.model_repositories import HUB_MODEL
from testing.stack import Stack
from testing.workspaces import Workspaces, workspace

WORKERS = ("worker-cluster", "worker-cloud")
# A lost worker is noticed after 20 s; one that was lost in a short step after the step's own limit, at most a minute.
RECOVERY_S = 110


async def test_workers_killed_in_every_step_cost_time_and_nothing_else(stack: Stack, workspaces: Workspaces) -> None:
    held = await hold_in_waits(stack, workspaces, "kill", slow_s=20)
    await _hold_in_quick_steps(stack, workspaces, held)
    await asyncio.to_thread(stack.start_again, *WORKERS)
    await release(stack, workspaces)
    await workspaces.until_ready(*held.uids, within_s=RECOVERY_S)
    await _bought_once(stack, workspaces, held)


async def test_restarts_while_waiting_change_nothing(stack: Stack, workspaces: Workspaces) -> None:
    held = await hold_in_waits(stack, workspaces, "restart", slow_s=30)
    for process in ("temporal", "arm", "watcher", "kube-apiserver"):
        await restart(stack, process)
    await release(stack, workspaces)
    await workspaces.until_ready(*held.uids)
    await _bought_once(stack, workspaces, held)


async def _hold_in_quick_steps(stack: Stack, workspaces: Workspaces, held: Held) -> None:
    """Size, PrepareModel and Deploy take milliseconds: what they ask is frozen meanwhile. Ends with the kill."""
    held.at |= {step: f"kill-{step.lower()}" for step in ("Size", "PrepareModel", "Deploy")}
    async with contextlib.AsyncExitStack() as thawed:
        async with frozen(stack, "worker-cloud"):
            held.uids |= await workspaces.create(workspace(held.at["Deploy"]))
            await until_only_preflight_is_left(workspaces, held.at["Deploy"])
            await thawed.enter_async_context(frozen(stack, "mirror"))
            unknown = workspace(held.at["Size"], preset=HUB_MODEL)
            held.uids |= await workspaces.create(workspace(held.at["PrepareModel"]), unknown)
            await workspaces.until_running(held.at["PrepareModel"], "read_model_revision")
            await workspaces.until_running(held.at["Size"], "build_plan")
            await thawed.enter_async_context(frozen(stack, "kube-apiserver"))
        await workspaces.until_running(held.at["Deploy"], "ensure_workload")
        for step in ("Size", "Preflight", "ProvisionNodes", "AwaitNodes", "AwaitServing", "Verify", "PrepareModel"):
            assert await workspaces.running_activities(held.at[step]), f"{step} did not last until the kill"
        kill(stack, *WORKERS)


async def _bought_once(stack: Stack, workspaces: Workspaces, held: Held) -> None:
    for name, uid in held.uids.items():
        assert await asyncio.to_thread(purchases, stack, names.pool_name(uid)) == 1, name
        for kind in ("Deployment", "Service", "Node"):
            items, _ = await workspaces.cluster.list_all(kind, selector=f"{labels.WORKSPACE_UID}={uid}")
            assert len(items) == 1, f"{name} has {len(items)} of {kind}"
