"""Which call to ARM follows from what is there: none, a purchase, a repair, another's operation, or a refusal."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from azure.core import MatchConditions
from azure.mgmt.containerservice.models import AgentPool
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.contract.nodes import PoolBought, PoolKey, Released
from activities.contract.plan import Plan
from activities.contract.sweep import SweepScope
from activities.nodes.aks.agent_pool_spec import pool_of, properties_of
from activities.nodes.aks.provider import AgentPools
from tests.builders import a_key, a_plan
from tests.fakes.agent_pools import FakeAgentPools

PLAN = a_plan()
OTHERS = a_plan(a_key("somebody-else"), pool_name=PLAN.pool_name)
KEY = PoolKey(workspace=PLAN.key, pool_name=PLAN.pool_name)


def a_pool(state: str = "Succeeded", plan: Plan = PLAN, etag: str = "tag-1") -> AgentPool:
    pool = pool_of(plan)
    properties_of(pool).provisioning_state = state
    pool.name = plan.pool_name
    properties_of(pool).e_tag = etag
    return pool


async def bought(arm: FakeAgentPools, plan: Plan = PLAN, *beats: str) -> PoolBought:
    """`beats` are the last heartbeat of an attempt that was lost with its worker."""
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, heartbeat_details=list(beats))
    found: PoolBought = await environment.run(AgentPools(arm.azure).ensure_node_pool, plan)
    return found


async def released(arm: FakeAgentPools) -> Released:
    found: Released = await ActivityEnvironment().run(AgentPools(arm.azure).delete_node_pool, KEY)
    return found


async def refused(arm: FakeAgentPools, plan: Plan = PLAN) -> tuple[str | None, str]:
    with pytest.raises(ApplicationError) as error:
        await bought(arm, plan)
    return error.value.type, error.value.message


async def test_a_missing_pool_is_bought_only_if_it_is_still_missing() -> None:
    arm = FakeAgentPools()
    found = await bought(arm)
    assert (found.pool_name, found.node_count, found.provisioning_state) == (PLAN.pool_name, 1, "Succeeded")
    [sent] = arm.sent
    assert sent.options == {"match_condition": MatchConditions.IfMissing}


async def test_a_pool_as_planned_is_not_bought_again() -> None:
    arm = FakeAgentPools(a_pool())
    assert (await bought(arm)).instance_type == PLAN.instance_type
    assert arm.sent == []


@pytest.mark.parametrize(
    ("there", "plan"),
    [
        pytest.param(a_pool(), PLAN.model_copy(update={"repair": True}), id="machines were taken back"),
        pytest.param(a_pool("Failed"), PLAN, id="the last operation failed"),
        pytest.param(a_pool(plan=a_plan(node_count=2)), PLAN, id="another number of nodes"),
    ],
)
async def test_a_pool_that_differs_from_the_plan_is_put_again_unless_its_etag_changed(
    there: AgentPool, plan: Plan
) -> None:
    arm = FakeAgentPools(there)
    await bought(arm, plan)
    [sent] = arm.sent
    assert sent.options == {"etag": "tag-1", "match_condition": MatchConditions.IfNotModified}


async def test_a_repair_whose_response_was_lost_is_not_sent_twice() -> None:
    arm = FakeAgentPools(a_pool())
    await bought(arm, PLAN.model_copy(update={"repair": True}), "token-1", datetime.now(UTC).isoformat())
    assert arm.sent == []


async def test_our_operation_is_resumed_from_its_token() -> None:
    arm, accepted = FakeAgentPools(a_pool("Creating")), datetime(2026, 1, 1, tzinfo=UTC)
    found = await bought(arm, PLAN, "token-1", accepted.isoformat())
    assert [sent.options for sent in arm.sent] == [{"continuation_token": "token-1"}]
    assert found.accepted_at == accepted


async def test_an_operation_whose_token_is_lost_is_waited_for_and_nothing_is_sent() -> None:
    arm = FakeAgentPools(a_pool())
    arm.looks.extend([a_pool("Creating"), a_pool("Creating"), a_pool("Succeeded")])
    assert (await bought(arm)).provisioning_state == "Succeeded"
    assert arm.sent == [] and not arm.looks


@pytest.mark.parametrize(("ends", "word"), [(a_pool("Failed"), "Failed"), (None, "NotFound")])
async def test_a_failed_operation_of_a_lost_worker_is_reported(ends: AgentPool | None, word: str) -> None:
    arm = FakeAgentPools()
    arm.looks.extend([a_pool("Creating"), ends])
    reason, message = await refused(arm)
    assert reason == "PoolFailed" and message.endswith(f"ended as {word}")


@pytest.mark.parametrize(
    ("there", "reason", "words"),
    [
        pytest.param(a_pool(plan=OTHERS), "OwnershipConflict", "another owner's tags", id="somebody else's"),
        pytest.param(a_pool("Deleting"), "CloudBusy", "is being deleted", id="on its way out"),
    ],
)
async def test_a_pool_that_must_not_be_changed_fails_with_a_reason(there: AgentPool, reason: str, words: str) -> None:
    arm = FakeAgentPools(there)
    found, message = await refused(arm)
    assert found == reason and words in message and PLAN.pool_name in message
    assert arm.sent == []


async def test_a_release_ignores_disruption_budgets_of_others() -> None:
    arm = FakeAgentPools(a_pool())
    assert (await released(arm)).existed
    assert [(sent.verb, sent.options) for sent in arm.sent] == [("DELETE", {"ignore_pod_disruption_budget": True})]


async def test_a_release_of_a_missing_or_foreign_pool_deletes_nothing() -> None:
    for arm in (FakeAgentPools(), FakeAgentPools(a_pool(plan=OTHERS))):
        assert not (await released(arm)).existed
        assert arm.sent == []


@pytest.mark.parametrize("whose", [{"name": "ghost"}, {"namespace": "tenant-a"}, {"uid": "another"}])
async def test_a_uid_that_was_read_somewhere_releases_no_pool(whose: dict[str, str]) -> None:
    """Whoever forges a uid is a Workspace of another name."""
    arm = FakeAgentPools(a_pool())
    key = PoolKey(workspace=PLAN.key.model_copy(update=whose), pool_name=PLAN.pool_name)
    found: Released = await ActivityEnvironment().run(AgentPools(arm.azure).delete_node_pool, key)
    assert (found.existed, arm.sent) == (False, [])
    assert await AgentPools(arm.azure).read_held(key) is None


async def test_a_pool_that_is_being_deleted_is_only_waited_for() -> None:
    arm = FakeAgentPools()
    arm.looks.extend([a_pool("Deleting"), a_pool("Deleting"), None, None])
    assert (await released(arm)).existed
    assert arm.sent == []


async def test_a_release_fails_when_a_pool_appears_meanwhile() -> None:
    arm = FakeAgentPools()
    arm.looks.extend([None, a_pool("Creating")])
    with pytest.raises(ApplicationError, match="appeared while it was being released") as error:
        await released(arm)
    assert error.value.type == "CloudBusy" and not error.value.non_retryable


async def test_the_inventory_has_every_pool_of_ours_and_no_other() -> None:
    system = AgentPool({"name": "system"})
    arm = FakeAgentPools(a_pool("Failed"), system)
    found = await ActivityEnvironment().run(AgentPools(arm.azure).read_owned_pools, SweepScope())
    assert [(one.kind, one.name, one.workspace) for one in found.things] == [("node_pool", PLAN.pool_name, PLAN.key)]


async def test_read_held_returns_the_workspaces_own_pool_in_any_state() -> None:
    shown = await AgentPools(FakeAgentPools(a_pool("Failed")).azure).read_held(KEY)
    assert shown is not None and shown.provisioning_state == "Failed"
    for arm in (FakeAgentPools(), FakeAgentPools(a_pool(plan=OTHERS))):
        assert await AgentPools(arm.azure).read_held(KEY) is None
