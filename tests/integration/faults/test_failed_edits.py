"""An edit that fails on a real API server: what served before serves again, on its node, and the status says so."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api import labels, names
from testing.faults.bad_edits import (
    EDITS,
    before,
    carry_out,
    forget_options,
    is_told_of,
    look_at,
    make,
    serves_again,
    set_options,
)
from testing.leftovers import pools, purchases
from testing.pods.rules import PodRules
from testing.stack import Stack
from testing.workspaces import NAMESPACE, PRESET, Workspaces, is_ready, status_of
from workflows.messages import Deadline
from workflows.workspace import WorkspaceWorkflow

NAMES = {edit: f"bad-{edit}" for edit in EDITS}
SERVING_S = 15


@pytest.fixture
async def uids(stack: Stack, workspaces: Workspaces) -> AsyncIterator[dict[str, str]]:
    """Workspaces that serve; by name."""
    made = await make(workspaces, {name: (edit, PRESET) for edit, name in NAMES.items()})
    await workspaces.until_ready(*made)
    yield made
    await forget_options(workspaces, *made)


async def test_what_served_before_a_bad_edit_serves_again(
    stack: Stack, workspaces: Workspaces, uids: dict[str, str]
) -> None:
    nodes = {name: status_of(found)["workerNodes"] for name, found in (await workspaces.until(uids, is_ready)).items()}
    made = {name: await _made(workspaces, name) for name in uids}
    await workspaces.handle(NAMES["image"]).execute_update(WorkspaceWorkflow.set_deadline, Deadline(serving=SERVING_S))
    rules = PodRules(pods=[one.rule(NAMES[edit]) for edit, one in EDITS.items()])
    await asyncio.to_thread(stack.set_pods, rules)
    await asyncio.gather(*(carry_out(workspaces, edit, name) for edit, name in NAMES.items()))
    found = await workspaces.until(uids, serves_again)
    for edit, name in NAMES.items():
        status = status_of(found[name])
        assert EDITS[edit].cause in status["message"] and status["message"].endswith("serves")
        assert status["workerNodes"] == nodes[name]
        assert await asyncio.to_thread(purchases, stack, names.pool_name(uids[name])) == 1
    assert {name: await _made(workspaces, name) for name in uids} == made
    assert len(pools(stack)) == len(EDITS)


async def test_a_config_map_that_became_invalid_is_told_and_a_lost_node_is_replaced(
    stack: Stack, workspaces: Workspaces
) -> None:
    name, options = "invalid-since", "invalid-since-options"
    await set_options(workspaces, options, max_num_seqs=8)
    body = before("argument", name)
    body["metadata"]["annotations"][labels.CAPACITY_TYPES] = "spot"  # whose machines the emulator can take back
    pool = names.pool_name((await workspaces.create(body))[name])
    await workspaces.until_ready(name)
    made = await _made(workspaces, name)
    await set_options(workspaces, options, max_num_seq=8)
    await look_at(workspaces, name)
    status = status_of((await workspaces.until([name], serves_again))[name])
    assert status["reason"] == "ConfigInvalid"
    assert "generation 1 is not applied" in status["message"] and "max-num-seq" in status["message"]
    assert status["message"].endswith("generation 1 as it was before serves")

    await asyncio.to_thread(stack.arm.add_fault, "spot-eviction", pool=pool, seconds=0, times=1)
    await workspaces.until([name], lambda one: not serves_again(one))
    status = status_of((await workspaces.until([name], serves_again))[name])
    assert status["message"].endswith("generation 1 as it was before serves")
    assert await asyncio.to_thread(purchases, stack, pool) == 2
    assert await _made(workspaces, name) == made

    await set_options(workspaces, options, max_num_seqs=8)
    await look_at(workspaces, name)
    await workspaces.until([name], lambda one: is_ready(one) and not is_told_of(one))
    await workspaces.delete(name)
    await workspaces.until_gone(name)
    await forget_options(workspaces, name)
    assert pool not in pools(stack)


async def _made(workspaces: Workspaces, name: str) -> Any:
    """The pods that the Deployment makes, and their digest."""
    found = await workspaces.cluster.get("Deployment", names.workload(name), NAMESPACE)
    assert found is not None
    return found["spec"]["template"], found["metadata"]["annotations"][labels.CONFIG_HASH]
