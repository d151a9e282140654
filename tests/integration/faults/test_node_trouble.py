"""Trouble with machines and with ARM's answers: what can be mended is, what cannot is given back and said."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from activities.contract.signatures import READ_HEALTH
from api import labels, names
from testing.deadlines import PATIENCE_S
from testing.faults.processes import frozen
from testing.leftovers import pools, purchases, settled_leftovers
from testing.stack import Stack
from testing.workspaces import NAMESPACE, Workspaces, is_failed, status_of, workspace
from workflows.messages import Deadline
from workflows.workspace import WorkspaceWorkflow

LATE_S = 3.0
# Name: the fault that its pool meets.
MENDED: dict[str, dict[str, Any]] = {
    "lost-put": {"kind": "lost-response", "method": "PUT", "times": 1},
    "lost-delete": {"kind": "lost-response", "method": "DELETE", "times": 1},
    "throttled": {"kind": "throttled", "method": "PUT", "seconds": 1, "times": 1},
    "server-error": {"kind": "server-error", "method": "PUT", "times": 1},
    "fails-late": {"kind": "fails-late", "seconds": LATE_S, "times": 1},
    "failed-delete": {"kind": "operation-failed", "method": "DELETE", "times": 1},
}
JOINING_S = 10
REPLACED: dict[str, dict[str, Any]] = {
    "never-joins": {"kind": "node-never-joins", "times": 1},
    "without-gpu": {"kind": "node-without-gpu", "times": 1},
}
HOPELESS: dict[str, tuple[dict[str, Any], str]] = {
    "never-ever-joins": ({"kind": "node-never-joins"}, "NodeNotJoined"),
    "gpu-never-comes": ({"kind": "node-without-gpu"}, "NodeWithoutGpu"),
}


async def test_lost_answers_and_failed_operations_are_mended(stack: Stack, workspaces: Workspaces) -> None:
    uids = await _create_with_faults(stack, workspaces, MENDED)
    await workspaces.until_ready(*MENDED)
    bought = {name: await asyncio.to_thread(purchases, stack, names.pool_name(uid)) for name, uid in uids.items()}
    # An operation that says Failed is begun once more on the same pool; nothing else needs a second one.
    assert bought == {name: 2 if name == "fails-late" else 1 for name in MENDED}
    await workspaces.delete(*MENDED)
    await workspaces.until_gone(*MENDED)
    assert await settled_leftovers(stack, workspaces) == {}


async def test_nodes_that_come_after_their_pool_failed_are_given_back(stack: Stack, workspaces: Workspaces) -> None:
    await _create_with_faults(stack, workspaces, {"fails-ever": {"kind": "fails-late", "seconds": LATE_S}})
    found = (await workspaces.until(["fails-ever"], is_failed))["fails-ever"]
    assert status_of(found)["reason"] == "PoolFailed"
    assert pools(stack) == []
    await asyncio.sleep(LATE_S)  # the time at which the last try's machines would have come
    await workspaces.delete("fails-ever")
    await workspaces.until_gone("fails-ever")
    assert await settled_leftovers(stack, workspaces) == {}


async def test_nodes_that_do_not_join_or_lack_gpus_are_replaced_twice_at_most(
    stack: Stack, workspaces: Workspaces
) -> None:
    faults = REPLACED | {name: fault for name, (fault, _) in HOPELESS.items()}
    uids = await create_with_short_deadlines(stack, workspaces, faults)
    await workspaces.until_ready(*REPLACED)
    found = await workspaces.until(HOPELESS, is_failed)
    assert {name: status_of(one)["reason"] for name, one in found.items()} == {
        name: reason for name, (_, reason) in HOPELESS.items()
    }
    bought = {name: await asyncio.to_thread(purchases, stack, names.pool_name(uid)) for name, uid in uids.items()}
    assert bought == dict.fromkeys(REPLACED, 2) | dict.fromkeys(HOPELESS, 3)
    assert sorted(pools(stack)) == sorted(names.pool_name(uids[name]) for name in REPLACED)


async def test_a_node_that_is_not_ready_for_a_moment_is_not_bought_again(stack: Stack, workspaces: Workspaces) -> None:
    """As after a pause of its kubelet, which reports itself again a few seconds later."""
    uids = await workspaces.create(workspace("blinking"))
    await workspaces.until_ready("blinking")
    [node], _ = await workspaces.cluster.list_all("Node", selector=f"{labels.WORKSPACE_UID}={uids['blinking']}")
    silent = {"type": "Ready", "status": "Unknown", "lastTransitionTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    looks = await _looks(workspaces, "blinking")
    async with frozen(stack, "arm"):  # which reports nodes, so that the look meets this one as it is
        status = {"status": {"conditions": [silent]}}
        await workspaces.cluster.merge("Node", node["metadata"]["name"], None, status, subresource="status")
        async with asyncio.timeout(PATIENCE_S):
            while await _looks(workspaces, "blinking") == looks:
                await asyncio.sleep(0.2)
    assert not (await workspaces.progress("blinking")).resources.loss
    await workspaces.until_ready("blinking")
    assert await asyncio.to_thread(purchases, stack, names.pool_name(uids["blinking"])) == 1


async def _looks(workspaces: Workspaces, name: str) -> int:
    """How often the workflow has been told of the health of nodes and pods."""
    wanted, told = READ_HEALTH.name.encode(), 0
    scheduled = set[int]()
    async for event in workspaces.handle(name).fetch_history_events():
        if event.HasField("marker_recorded_event_attributes"):  # of a local activity
            told += wanted in event.SerializeToString()
        elif event.activity_task_scheduled_event_attributes.activity_type.name == READ_HEALTH.name:
            scheduled.add(event.event_id)
        told += event.activity_task_completed_event_attributes.scheduled_event_id in scheduled
    return told


async def _create_with_faults(
    stack: Stack, workspaces: Workspaces, faults: dict[str, dict[str, Any]]
) -> dict[str, str]:
    async with frozen(stack, "watcher"):  # nobody may see them before their faults are set
        uids = await workspaces.create(*(workspace(name) for name in faults))
        for name, fault in faults.items():
            await asyncio.to_thread(stack.arm.add_fault, pool=names.pool_name(uids[name]), **fault)
    return uids


async def create_with_short_deadlines(
    stack: Stack, workspaces: Workspaces, faults: dict[str, dict[str, Any]]
) -> dict[str, str]:
    """A deadline holds from the next pass on, so the first one is made to fail for another reason."""
    stack.arm.add_fault("sku-not-available", times=len(faults))
    uids = await _create_with_faults(stack, workspaces, faults)
    await workspaces.until(faults, is_failed)
    again = {"op": "add", "path": "/metadata/annotations", "value": {"modelyard.dev/retry": "1"}}
    for name in faults:
        await workspaces.handle(name).execute_update(WorkspaceWorkflow.set_deadline, Deadline(nodes=JOINING_S))
        await workspaces.cluster.patch("Workspace", name, NAMESPACE, [again])
    return uids
