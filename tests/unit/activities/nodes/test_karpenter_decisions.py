"""How many NodeClaims there should be, and when trouble with one is the whole gang's."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError

from activities.nodes.karpenter.decisions import Attempt, decide, too_late
from activities.nodes.karpenter.node_claim import claim_name
from tests.builders import UID, a_key, a_plan
from tests.fakes.nodes import a_claim

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = [claim_name(UID, index) for index in range(5)]
NO_QUOTA = {"reason": "LaunchFailed", "message": "ErrCode_InsufficientVCPUQuota: left 0, requested 24"}
NO_CAPACITY = {"reason": "LaunchFailed", "message": "AllocationFailed: no capacity in eastus"}


def by_name(*claims: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {claim["metadata"]["name"]: claim for claim in claims}


def names_of(claims: list[dict[str, Any]]) -> list[str]:
    return [claim["metadata"]["name"] for claim in claims]


def test_missing_claims_are_created_under_the_first_free_names() -> None:
    plan = a_plan(node_count=3)
    assert decide({}, plan).create == NAMES[:3]
    assert decide(by_name(a_claim(NAMES[0], deleting=True), a_claim(NAMES[2])), plan).create == [NAMES[1], NAMES[3]]


def test_claims_created_a_moment_ago_are_not_created_again() -> None:
    assert decide({}, a_plan(node_count=2), {NAMES[0]}).create == [NAMES[1]]
    assert decide(by_name(a_claim(NAMES[0])), a_plan(node_count=2), {NAMES[0], NAMES[1]}).create == []


def test_claims_of_a_controller_before_us_are_adopted() -> None:
    decision = decide(by_name(a_claim("wsold", legacy=True)), a_plan(node_count=1))
    assert (names_of(decision.adopt), decision.create, decision.delete) == (["wsold"], [], [])


def test_claims_that_do_not_fit_or_are_too_many_are_released() -> None:
    claims = by_name(
        a_claim("slow", passed=1), a_claim("ready"), a_claim("small", sku="Standard_NV36ads_A10_v5"),
        a_claim("case", passed=2, sku="standard_nc24ads_a100_v4"),
    )  # fmt: skip
    decision = decide(claims, a_plan(node_count=2))
    assert names_of(decision.kept) == ["ready", "case"]
    assert sorted(names_of(decision.delete)) == ["slow", "small"]


def test_a_successors_claims_are_left_alone() -> None:
    decision = decide(by_name(a_claim("theirs", a_key(uid="other"))), a_plan())
    assert (decision.kept, decision.delete, decision.create) == ([], [], [NAMES[0]])


@given(
    st.dictionaries(
        st.sampled_from([*NAMES, "old-1", "old-2"]),
        st.builds(dict, passed=st.integers(0, 3), deleting=st.booleans(), legacy=st.booleans(), other=st.booleans()),
    ),
    st.integers(1, 5),
    st.sets(st.sampled_from(NAMES)),
)
def test_there_are_never_more_claims_than_the_plan_has_nodes(
    found: dict[str, dict[str, Any]], wanted: int, under_way: set[str]
) -> None:
    other = a_key(uid="other")
    claims = by_name(*(a_claim(n, other if facts.pop("other") else None, **facts) for n, facts in found.items()))
    plan = a_plan(node_count=wanted)
    decision = decide(claims, plan, under_way)
    unseen = under_way - claims.keys()
    after = len(decision.kept) + len(decision.create) + len(unseen)
    assert after == wanted or (after > wanted and not decision.create)
    assert not {*decision.create} & (claims.keys() | unseen), "a name that is taken is never created"
    assert not {*names_of(decision.kept)} & {*names_of(decision.delete)}


def judged(*claims: dict[str, Any], after_s: int = 0) -> None:
    attempt, plan = Attempt(timedelta(seconds=90)), a_plan(node_count=2)
    decision = decide(by_name(*claims), plan)
    attempt.judge(decision, plan, NOW)
    attempt.judge(decision, plan, NOW + timedelta(seconds=after_s))


def test_a_final_refusal_ends_the_gang_at_once_with_numbers() -> None:
    with pytest.raises(ApplicationError, match=r"1 of 2 .* are ready; NodeClaim b: .*left 0, requested 24") as refused:
        judged(a_claim("a"), a_claim("b", passed=0, stuck=NO_QUOTA))
    assert refused.value.type == "QuotaExceeded" and refused.value.non_retryable


def test_quota_held_by_a_machine_being_deleted_is_not_final() -> None:
    judged(a_claim("a", deleting=True), a_claim("b", passed=0, stuck=NO_QUOTA), after_s=89)
    with pytest.raises(ApplicationError, match="InsufficientVCPUQuota"):
        judged(a_claim("a", deleting=True), a_claim("b", passed=0, stuck=NO_QUOTA), after_s=90)


def test_missing_capacity_counts_only_when_it_outlasts_gpu_provisioners_own_next_try() -> None:
    stuck = a_claim("b", passed=0, stuck=NO_CAPACITY)
    judged(stuck, after_s=89)
    with pytest.raises(ApplicationError) as refused:
        judged(stuck, after_s=90)
    assert refused.value.type == "AllocationFailed" and not refused.value.non_retryable


def test_a_problem_that_passes_is_forgotten() -> None:
    attempt, plan = Attempt(timedelta(seconds=90)), a_plan()
    attempt.judge(decide(by_name(a_claim("b", passed=0, stuck=NO_CAPACITY)), plan), plan, NOW)
    assert attempt.look_again_at(NOW + timedelta(hours=1)) == NOW + timedelta(seconds=90)
    attempt.judge(decide(by_name(a_claim("b", passed=1)), plan), plan, NOW + timedelta(seconds=60))
    assert attempt.look_again_at(NOW + timedelta(hours=1)) == NOW + timedelta(hours=1)


def test_a_claim_deleted_by_another_client_is_noticed_and_our_delete_is_not() -> None:
    attempt = Attempt(timedelta(seconds=90), under_way={"a", "b", "c"})
    assert attempt.withdrawn(by_name(a_claim("a"), a_claim("b"))) == []
    assert attempt.under_way == {"c"}
    attempt.forget("b")
    assert attempt.withdrawn(by_name(a_claim("a", deleting=True))) == ["a"]
    assert attempt.withdrawn({}) == []


@pytest.mark.parametrize(
    ("claim", "reason", "words"),
    [
        pytest.param(a_claim("b", passed=0), "AllocationFailed", "gpu-provisioner or Karpenter runs", id="nobody acts"),
        pytest.param(a_claim("b", passed=0, stuck=NO_QUOTA), "QuotaExceeded", "requested 24", id="quota"),
        pytest.param(a_claim("b", passed=1), "NodeNotJoined", "b is not Registered", id="never joined"),
    ],
)
def test_at_the_deadline_the_missing_stage_names_the_reason(claim: dict[str, Any], reason: str, words: str) -> None:
    plan = a_plan(node_count=2, provision_s=2700)
    error = too_late(decide(by_name(a_claim("a"), claim), plan), plan)
    assert isinstance(error, ApplicationError)
    assert error.type == reason and error.non_retryable
    assert "1 of 2 NodeClaims are ready after 45 min: a is ready; b" in error.message and words in error.message
