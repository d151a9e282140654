"""A Workspace may be deleted at any moment of its way: no pool, node, object or workflow is left."""

import asyncio

from testing.deadlines import PATIENCE_S
from testing.faults.holding import hold_in_waits, until_only_preflight_is_left
from testing.faults.processes import frozen
from testing.leftovers import settled_leftovers
from testing.stack import Stack
from testing.workspaces import Workspaces, is_failed, workspace

# The API server tells watchers a moment after it has answered; the event then waits in the frozen watcher's socket.
# Nothing shows that it does, so the moment is long enough for a busy machine.
TOLD_S = 3.0


async def test_a_delete_in_any_step_leaves_nothing(stack: Stack, workspaces: Workspaces) -> None:
    await workspaces.create(workspace("delete-ready"), workspace("delete-failed", preset="phi-9000"))
    await workspaces.until_ready("delete-ready")
    await workspaces.until(["delete-failed"], is_failed)
    held = await hold_in_waits(stack, workspaces, "delete", slow_s=15)
    await _delete_in_deploy(stack, workspaces, "delete-deploy")
    async with frozen(stack, "mirror"):
        await workspaces.create(workspace("delete-preparemodel"))
        await workspaces.until_running("delete-preparemodel", "read_model_revision")
        await workspaces.create(workspace("delete-size"))
        names = [*held.uids, *(f"delete-{step}" for step in ("ready", "failed", "size", "preparemodel"))]
        await workspaces.delete(*names)
    await workspaces.until_gone(*names, "delete-deploy")
    assert await settled_leftovers(stack, workspaces) == {}


async def test_a_delete_while_nodes_are_given_back_leaves_nothing(stack: Stack, workspaces: Workspaces) -> None:
    stack.arm.change_settings(delete_seconds=3)
    stack.arm.add_fault("operation-failed", method="PUT")
    await workspaces.create(workspace("delete-releasing"))
    await workspaces.until_running("delete-releasing", "delete_node_pool")
    stack.arm.clear_faults()
    await workspaces.delete("delete-releasing")
    await workspaces.until_gone("delete-releasing")
    assert await settled_leftovers(stack, workspaces) == {}


async def _delete_in_deploy(stack: Stack, workspaces: Workspaces, name: str) -> None:
    """The delete is heard of while the API server takes its time over the workload's objects."""
    async with frozen(stack, "worker-cloud") as thaw_cloud:
        await workspaces.create(workspace(name))
        await until_only_preflight_is_left(workspaces, name)
        async with frozen(stack, "watcher") as thaw_watcher:
            await workspaces.delete(name)
            await asyncio.sleep(TOLD_S)
            async with frozen(stack, "kube-apiserver"):
                thaw_cloud()
                await workspaces.until_running(name, "ensure_workload")
                thaw_watcher()
                await _until_told_of_the_delete(workspaces, name)


async def _until_told_of_the_delete(workspaces: Workspaces, name: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not (await workspaces.progress(name)).spec.deleting:
            await asyncio.sleep(0.1)
