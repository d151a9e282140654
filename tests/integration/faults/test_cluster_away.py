"""The AKS cluster is stopped and started or upgraded, or its API server is away: deadlines stand still, nothing is
written to ARM, nothing is bought twice, and everything arrives afterwards without a person."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from activities.contract.policies import OWN_DEADLINE_S
from api import labels, names
from testing.deadlines import PATIENCE_S
from testing.faults.holding import release
from testing.faults.processes import frozen, kill
from testing.leftovers import purchases
from testing.stack import Stack
from testing.workspaces import NAMESPACE, Workspaces, is_failed, is_ready, status_of, workspace
from workflows.messages import Deadline
from workflows.workspace import WorkspaceWorkflow

JOINING_S: Final = 45
"""The deadline of nodes: long enough for a busy machine while the cluster is there."""
AWAY_S: Final = JOINING_S + OWN_DEADLINE_S + 15
"""Longer than Temporal itself would wait, if it were told no more than the deadline."""
CONTROL_PLANE: Final = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
"""They go together, as AKS runs them. A controller manager that was alone for minutes looks for the API server every
minute or so, too late for the short deadlines here."""
MODELYARD: Final = ("watcher", "worker-cluster", "worker-cloud")
"""What runs in the cluster and is away with it; Temporal is elsewhere."""
WRITES: Final = ("PUT", "POST", "DELETE")


async def test_what_a_stop_finds_under_way_arrives_after_the_start(stack: Stack, workspaces: Workspaces) -> None:
    uids = await workspaces.create(workspace("serving"), workspace("going"))
    uids |= await _joining_within_its_deadline(stack, workspaces)
    await workspaces.until_ready("serving", "going")
    await asyncio.to_thread(stack.arm.stop_cluster)
    await _until_cluster(stack, "Stopped")
    uids |= await workspaces.create(workspace("late"))
    await workspaces.delete("going")
    told = await workspaces.until(["serving", "going", "late"], _waits_for_the_cluster)
    assert all("is stopped: nothing is bought or released" in status_of(one)["message"] for one in told.values())
    seen = datetime.now(UTC)
    await asyncio.to_thread(stack.arm.reset_calls)
    await _away(stack, *CONTROL_PLANE)
    assert [call for call in stack.arm.calls() if call.startswith(WRITES)] == []
    stopped_s = (datetime.now(UTC) - seen).total_seconds()
    await asyncio.to_thread(stack.arm.start_cluster)
    await _until_cluster(stack, "Running")
    await _let_join(stack, workspaces, uids["joining"])
    await workspaces.until_ready("serving", "joining", "late")
    await workspaces.until_gone("going")
    assert await _bought(stack, uids) == dict.fromkeys(uids, 1)
    await _is_billed_without(workspaces, "serving", stopped_s)


async def test_an_upgrade_is_waited_for_and_said(stack: Stack, workspaces: Workspaces) -> None:
    stack.arm.change_cluster(provisioning_state="Upgrading")
    uids = await workspaces.create(workspace("upgrading"))
    await workspaces.until(["upgrading"], lambda found: status_of(found).get("reason") == "ClusterUpgrading")
    assert [call for call in stack.arm.calls() if call.startswith(WRITES)] == []
    stack.arm.change_cluster(provisioning_state="Succeeded")
    await workspaces.until_ready("upgrading")
    assert await _bought(stack, uids) == {"upgrading": 1}


@pytest.mark.parametrize("others", [(), MODELYARD], ids=["alone", "with all of Modelyard"])
async def test_an_api_server_that_is_away_longer_than_a_deadline_changes_nothing(
    stack: Stack, workspaces: Workspaces, others: tuple[str, ...]
) -> None:
    """ARM says Running all the time: nobody knows whether the models serve, so nothing is given up either."""
    uids = await workspaces.create(workspace("serving"))
    uids |= await _joining_within_its_deadline(stack, workspaces)
    await workspaces.until_ready("serving")
    await asyncio.to_thread(stack.arm.reset_calls)
    await _away(stack, *CONTROL_PLANE, *others)
    assert [call for call in stack.arm.calls() if call.startswith(WRITES)] == []
    await _let_join(stack, workspaces, uids["joining"])
    await workspaces.until_ready("serving", "joining")
    assert await _bought(stack, uids) == dict.fromkeys(uids, 1)


async def _joining_within_its_deadline(stack: Stack, workspaces: Workspaces) -> dict[str, str]:
    """A Workspace that waits for the GPU of its node. A deadline holds from the next pass on: the first one fails."""
    async with frozen(stack, "watcher"):  # nobody may see it before its faults are set
        uids = await workspaces.create(workspace("joining"))
        pool = names.pool_name(uids["joining"])
        for kind in ("sku-not-available", "node-without-gpu"):
            await asyncio.to_thread(stack.arm.add_fault, kind, pool=pool, times=1)
    await workspaces.until(["joining"], is_failed)
    await workspaces.handle("joining").execute_update(WorkspaceWorkflow.set_deadline, Deadline(nodes=JOINING_S))
    again = {"op": "add", "path": "/metadata/annotations", "value": {labels.RETRY: "1"}}
    await workspaces.cluster.patch("Workspace", "joining", NAMESPACE, [again])
    await workspaces.until_running("joining", "wait_for_nodes")
    return uids


async def _away(stack: Stack, *processes: str) -> None:
    """For longer than a deadline: that is what is tested, so time itself is waited for."""
    await asyncio.to_thread(kill, stack, *processes)
    await asyncio.sleep(AWAY_S)
    await asyncio.to_thread(stack.start_again, *processes)


async def _let_join(stack: Stack, workspaces: Workspaces, uid: str) -> None:
    """The device plugin of its node starts."""

    async def nodes() -> list[Any]:
        found, _ = await workspaces.cluster.list_all("Node", selector=f"{labels.WORKSPACE_UID}={uid}")
        return found

    await _until(lambda: nodes())
    await release(stack, workspaces)


async def _until_cluster(stack: Stack, power: str) -> None:
    async def settled() -> bool:
        state = await asyncio.to_thread(stack.arm.state)
        return (state["power_state"], state["provisioning_state"]) == (power, "Succeeded")

    await _until(settled)


async def _until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not await condition():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.2)


def _waits_for_the_cluster(found: dict[str, Any]) -> bool:
    return not is_ready(found) and status_of(found).get("reason") == "ClusterStopped"


async def _bought(stack: Stack, uids: dict[str, str]) -> dict[str, int]:
    return {name: await asyncio.to_thread(purchases, stack, names.pool_name(uid)) for name, uid in uids.items()}


async def _is_billed_without(workspaces: Workspaces, name: str, stopped_s: float) -> None:
    [purchase] = (await workspaces.progress(name)).resources.ledger.open
    now = datetime.now(UTC)
    assert purchase.seconds(now) <= (now - purchase.since).total_seconds() - stopped_s
