"""A Workspace that can never be satisfied asks a few times, says why with numbers, and then leaves everybody alone."""

import asyncio

from api import names
from testing.api_calls import ApiCalls
from testing.faults.processes import frozen
from testing.leftovers import pools, purchases
from testing.stack import Stack
from testing.workspaces import Workspaces, is_failed, status_of, workspace

T4, T4_FAMILY = "Standard_NC4as_T4_v3", "Standard NCASv3_T4 Family"
# The looks at quota, machine and pools, and the one at whether the pool is there already.
QUOTA_ARM_CALLS = 5
QUOTA_API_CALLS = 30
ATTEMPTS = 4
# Each attempt looks, buys, and follows an operation of half a second; then the failed pool is given back.
CAPACITY_ARM_CALLS = 40
CAPACITY_API_CALLS = 60
QUIET_S = 5.0


async def test_a_quota_that_is_never_enough_costs_a_handful_of_calls(stack: Stack, workspaces: Workspaces) -> None:
    stack.arm.change_settings(family_limits={T4_FAMILY: 6})
    calls = await counting(stack)
    await workspaces.create(workspace("quota-for-ever", instance_type=T4, replicas=2))
    found = (await workspaces.until(["quota-for-ever"], is_failed))["quota-for-ever"]
    assert status_of(found)["reason"] == "QuotaExceeded"
    assert "need 8 vCPUs" in status_of(found)["message"]
    assert sum(stack.arm.calls().values()) <= QUOTA_ARM_CALLS
    assert (await asyncio.to_thread(calls.end)).calls.total() <= QUOTA_API_CALLS
    await is_left_alone(stack)


async def test_a_region_without_machines_is_asked_four_times(stack: Stack, workspaces: Workspaces) -> None:
    calls = await counting(stack)
    async with frozen(stack, "watcher"):  # nobody may see it before its fault is set
        uids = await workspaces.create(workspace("nowhere"))
        pool = names.pool_name(uids["nowhere"])
        stack.arm.add_fault("allocation-failed", pool=pool)
    found = (await workspaces.until(["nowhere"], is_failed))["nowhere"]
    assert status_of(found)["reason"] == "AllocationFailed"
    assert f"tried {ATTEMPTS} times" in status_of(found)["message"]
    assert purchases(stack, pool) == ATTEMPTS
    assert sum(stack.arm.calls().values()) <= CAPACITY_ARM_CALLS
    assert (await asyncio.to_thread(calls.end)).calls.total() <= CAPACITY_API_CALLS
    assert pools(stack) == []
    await is_left_alone(stack)


async def counting(stack: Stack) -> ApiCalls:
    """Counts requests of our processes from now on, those to ARM too."""
    calls = ApiCalls(stack)
    await asyncio.to_thread(calls.begin)
    stack.arm.reset_calls()
    return calls


async def is_left_alone(stack: Stack) -> None:
    """Nobody asks ARM or the API server about it any more. What is listed for all is the sweeper's, and the watcher's
    watch of all begins anew every few minutes."""
    calls = await counting(stack)
    await asyncio.sleep(QUIET_S)
    assert set(stack.arm.calls()) <= {"GET managedCluster"}
    about_one = [
        call for call in (await asyncio.to_thread(calls.end)).calls if call.endswith(("workspaces", "/status"))
    ]
    assert set(about_one) <= {"list workspaces", "watch workspaces"}
