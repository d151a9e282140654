"""When Azure says no, the Workspace stops before it buys, with Azure's numbers; whatever the wording of the no."""

from typing import Any

import pytest

from api import labels
from testing.leftovers import pools
from testing.stack import Stack
from testing.workspaces import Workspaces, is_failed, status_of, workspace

T4, T4_FAMILY = "Standard_NC4as_T4_v3", "Standard NCASv3_T4 Family"


def with_fallback(name: str) -> dict[str, Any]:
    """A Workspace that may also run on a T4."""
    found = workspace(name)
    found["metadata"]["annotations"] = {labels.INSTANCE_TYPE_FALLBACKS: T4}
    return found


async def test_a_used_up_quota_is_seen_before_anything_is_bought(stack: Stack, workspaces: Workspaces) -> None:
    stack.arm.change_settings(family_limits={T4_FAMILY: 6})
    await workspaces.create(workspace("over-quota", instance_type=T4, replicas=2))
    found = (await workspaces.until(["over-quota"], is_failed))["over-quota"]
    status = status_of(found)
    assert status["reason"] == "QuotaExceeded"
    assert all(number in status["message"] for number in ("need 8 vCPUs", "6 of 6", "raise the quota to 8"))
    assert "PUT agentPool" not in stack.arm.calls()


async def test_a_quota_that_only_the_purchase_shows_stops_too(stack: Stack, workspaces: Workspaces) -> None:
    names = ["plain", "nested", "cores"]
    for variant in names:
        stack.arm.add_fault("quota-exceeded", variant=variant, times=1)
    await workspaces.create(*(workspace(f"quota-{name}") for name in names))
    found = await workspaces.until([f"quota-{name}" for name in names], is_failed)
    told = [status_of(one) for one in found.values()]
    assert {status["reason"] for status in told} == {"QuotaExceeded"}
    assert all("24" in status["message"] and "quota" in status["message"] for status in told)
    # One PUT each, refused, and not tried again; nothing is there.
    assert stack.arm.calls()["PUT agentPool"] == 3
    assert pools(stack) == []


async def test_a_machine_that_is_not_sold_here_stops_before_the_purchase(stack: Stack, workspaces: Workspaces) -> None:
    stack.arm.add_fault("sku-not-available", variant="code", times=1)
    await workspaces.create(workspace("not-sold"))
    found = (await workspaces.until(["not-sold"], is_failed))["not-sold"]
    assert status_of(found)["reason"] == "SkuNotAvailable"
    assert pools(stack) == []


async def test_a_failed_workspace_is_tried_again_when_asked(stack: Stack, workspaces: Workspaces) -> None:
    stack.arm.add_fault("quota-exceeded", times=1)
    await workspaces.create(workspace("again"))
    await workspaces.until(["again"], is_failed)
    again = {"op": "add", "path": "/metadata/annotations", "value": {"modelyard.dev/retry": "1"}}
    await workspaces.cluster.patch("Workspace", "again", "default", [again])
    await workspaces.until_ready("again")


async def test_a_policy_on_the_size_moves_on_to_the_next_machine(stack: Stack, workspaces: Workspaces) -> None:
    stack.arm.add_fault("refused-by-policy", times=1)
    await workspaces.create(with_fallback("approved"))
    found = await workspaces.until_ready("approved")
    plan = status_of(found["approved"])["plan"]
    assert plan["instanceType"] == T4
    assert "CloudPolicyRefused" in plan["tried"][0] and "GPU sizes of this department" in plan["tried"][0]


@pytest.mark.parametrize("variant", ["plain", "late"])
async def test_a_lock_stops_at_once_as_no_machine_helps(stack: Stack, workspaces: Workspaces, variant: str) -> None:
    stack.arm.add_fault("scope-locked", variant=variant, times=1)
    name = f"locked-{variant}"
    await workspaces.create(with_fallback(name))
    status = status_of((await workspaces.until([name], is_failed))[name])
    assert status["reason"] == "CloudLocked" and "az lock list" in status["message"]
    assert stack.arm.calls()["PUT agentPool"] == 1
    assert pools(stack) == []
