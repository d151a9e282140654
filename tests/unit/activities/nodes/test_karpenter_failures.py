"""Azure's and Karpenter's words inside conditions and events, and the reason behind each."""

import pytest

from activities.nodes.karpenter.failures import MESSAGE_MAX, problem_in, problem_of, withdrawn
from tests.fakes.nodes import a_claim

WORDS = [
    ("QuotaExceeded", "creating instance: ErrCode_InsufficientVCPUQuota: Insufficient vcpu quota, remaining 0"),
    ("QuotaExceeded", "OperationNotAllowed: exceeding approved Total Regional Cores quota"),
    ("SkuNotAvailable", "The requested VM size Standard_X is not available in location eastus"),
    ("AllocationFailed", "ZonalAllocationFailed: Allocation failed. We do not have sufficient capacity"),
    ("AllocationFailed", "OverconstrainedAllocationRequest"),
    ("AllocationFailed", "all requested instance types were unavailable during launch"),
    ("AllocationFailed", "InsufficientCapacityError: NodeClaim ws1 event: no instance type"),
    ("PoolLimitReached", "the maximum number of agent pools 100 is reached"),
    ("CloudForbidden", "AuthorizationFailed: the client does not have authorization"),
    ("CloudPolicyRefused", "RequestDisallowedByPolicy: resource was disallowed by policy"),
    ("PoolFailed", "something nobody has seen"),
]


@pytest.mark.parametrize(("reason", "text"), WORDS, ids=[text[:40] for _, text in WORDS])
def test_the_reason_is_read_from_the_message_and_the_message_is_kept(reason: str, text: str) -> None:
    problem = problem_in(text)
    assert problem.reason == reason
    assert text in problem.message


def test_a_claim_in_progress_has_no_problem() -> None:
    assert problem_of(a_claim("a", passed=0)) is None
    assert problem_of(a_claim("a", passed=0, stuck={"reason": "AwaitingReconciliation"})) is None
    assert problem_of(a_claim("a", passed=1, stuck={"reason": "NodeNotFound", "message": "not yet"})) is None
    assert problem_of(a_claim("a")) is None


def test_a_claim_that_two_nodes_answer_to_has_one() -> None:
    problem = problem_of(a_claim("a", passed=1, stuck={"status": "False", "reason": "MultipleNodesFound"}))
    assert problem is not None and problem.reason == "NodeNotJoined" and "MultipleNodesFound" in problem.message


def test_a_launch_that_is_false_needs_no_known_reason() -> None:
    problem = problem_of(a_claim("a", passed=0, stuck={"status": "False", "reason": "InsufficientCapacity"}))
    assert problem is not None and problem.reason == "AllocationFailed"


def test_the_newest_warning_gives_the_reason_for_a_withdrawn_claim() -> None:
    events = [
        {"type": "Normal", "reason": "Launched", "message": "fine"},
        {"type": "Warning", "reason": "InsufficientCapacityError", "message": "QuotaExceeded for family NCADS"},
    ]
    assert withdrawn(events).reason == "QuotaExceeded"
    assert withdrawn([{"type": "Warning", "reason": "Odd", "message": "words"}]).message == "Odd: words"
    assert withdrawn([]).reason == "AllocationFailed"


def test_a_long_log_does_not_fill_the_status() -> None:
    assert len(problem_in("x" * 5000).message) <= MESSAGE_MAX
