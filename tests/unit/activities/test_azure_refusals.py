"""One refusal of Azure's, one reason: told at the PUT, by the operation that began, or in a controller's words."""

import json
from types import SimpleNamespace
from typing import Any, Final

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.core.exceptions import ARMErrorFormat
from temporalio.exceptions import ApplicationError

from activities.errors.azure import from_azure
from activities.nodes.karpenter.failures import problem_in
from workflows.steps.fallbacks import TRY_NEXT

POLICY: Final = {
    "type": "PolicyViolation",
    "info": {
        "policyDefinitionDisplayName": "Allowed virtual machine sizes",
        "policyAssignmentName": "gpu-sizes",
        "evaluationDetails": {
            "evaluatedExpressions": [
                {"path": "type", "result": "True"},
                {"path": "properties.vmSize", "operator": "NotIn", "result": "False"},
            ]
        },
    },
}


def refused(status: int, body: dict[str, Any]) -> ApplicationError:
    """What becomes of an answer, through the SDK's own error."""
    answer: Any = SimpleNamespace(status_code=status, reason="no", headers={}, text=lambda: json.dumps(body))
    return from_azure(HttpResponseError(response=answer, error_format=ARMErrorFormat))


def as_operation(error: dict[str, Any]) -> dict[str, Any]:
    """The status of an operation that began and ended as failed."""
    return {"name": "op", "status": "Failed", "error": error}


REFUSALS: Final = [
    # HTTP status, code, words, reason, does another machine help?
    (403, "RequestDisallowedByPolicy", "Resource 'w1' was disallowed by policy.", "CloudPolicyRefused", True),
    (403, "RequestDisallowedByAzure", "Resource 'w1' was disallowed by Azure: regions", "CloudPolicyRefused", True),
    (403, "AuthorizationFailed", "The client 'x' does not have authorization to do 'agentPools/write'",
     "CloudForbidden", False),
    (403, "LinkedAuthorizationFailed", "has permission to do it, but not 'subnets/join/action' on the linked scope",
     "CloudForbidden", False),
    (403, "DenyAssignmentAuthorizationFailed", "denied because of the deny assignment with name 'managed'",
     "CloudForbidden", False),
    (409, "ScopeLocked", "The scope 'x' cannot perform write operation because the following scope(s) are locked: 'y'",
     "CloudLocked", False),
    (409, "ReadOnlyDisabledSubscription", "The subscription 'x' is disabled and therefore marked as read only.",
     "SubscriptionDisabled", False),
    (400, "SubscriptionNotEnabledEncryptionAtHost", "Subscription does not enable EncryptionAtHost.",
     "FeatureNotRegistered", False),
    (409, "MissingSubscriptionRegistration", "The subscription is not registered to use namespace 'x'",
     "FeatureNotRegistered", False),
    (400, "InsufficientSubnetSize", "Pre-allocated IPs 62 exceeds IPs available 27 in Subnet Cidr 10.0.0.0/27",
     "SubnetFull", False),
    (400, "SubnetIsFull", "Subnet s with address prefix p does not have enough capacity for 31 IP addresses.",
     "SubnetFull", False),
    (400, "SubnetNotFound", "The subnet s is gone", "NetworkRefused", False),
    (400, "PublicIPCountLimitReached", "Cannot create more than 20 public IP addresses", "NetworkRefused", False),
    (400, "ErrCode_InsufficientVCPUQuota", "Insufficient vcpu quota requested 24, remaining 0", "QuotaExceeded", True),
    (409, "OperationNotAllowed", "results in exceeding approved Total Regional Cores quota", "QuotaExceeded", True),
    (409, "SkuNotAvailable", "The requested VM size is currently not available", "SkuNotAvailable", True),
    (400, "BadRequest", "The VM size of AgentPoolProfile:w1 is not allowed in your subscription in location 'x'. For "
     "more details, please visit https://aka.ms/cpu-quota", "SkuNotAvailable", True),
    (400, "AvailabilityZoneNotSupported", "The zone(s) '1' for resource w is not supported", "SkuNotAvailable", True),
    (409, "AllocationFailed", "We do not have sufficient capacity", "AllocationFailed", True),
    (409, "ZonalAllocationFailed", "no capacity in the zone", "AllocationFailed", True),
    (409, "OverconstrainedAllocationRequest", "the condition is too restrictive", "AllocationFailed", True),
    (409, "OverconstrainedZonalAllocationRequest", "too restrictive, too", "AllocationFailed", True),
    (400, "InvalidParameter", "The value of parameter agentPoolProfile.osDiskSizeGB is invalid", "CloudRequestRefused",
     True),
    (409, "OperationNotAllowed", "Another operation (w1 - Updating) is in progress, please wait", "CloudBusy", False),
    (409, "SetVNetOwnershipFailed", "the virtual network is in Updating state", "CloudBusy", False),
]  # fmt: skip
IDS: Final = [f"{code} {reason}" for _, code, _, reason, _ in REFUSALS]


@pytest.mark.parametrize(("status", "code", "words", "reason", "helps"), REFUSALS, ids=IDS)
def test_a_refusal_has_one_reason_however_it_is_told(
    status: int, code: str, words: str, reason: str, helps: bool
) -> None:
    error = {"code": code, "message": words, "details": None, "additionalInfo": None, "innererror": None}
    outer = {"code": "CreateVMSSAgentPoolFailed", "message": "it failed", "details": [error]}
    inner = {"code": "DeploymentFailed", "message": "it failed", "innererror": error}
    quoted = {"code": "DeploymentFailed", "message": json.dumps({"error": error})}
    told = {
        "at the PUT, by AKS": refused(status, error),
        "at the PUT, by ARM": refused(status, {"error": error}),
        "in the operation": refused(200, as_operation(error)),
        "in details of the operation": refused(200, as_operation(outer)),
        "in an inner error of the operation": refused(200, as_operation(inner)),
        "as JSON in a message": refused(400, {"error": quoted}),
    }
    assert {how: one.type for how, one in told.items()} == dict.fromkeys(told, reason)
    assert all(words.split(".")[0] in one.message for one in told.values())
    assert problem_in(f"LaunchFailed: creating agent pool: {code}: {words}").reason == reason
    assert (reason in TRY_NEXT) == helps


def test_the_same_remedy_is_named_for_pools_and_for_claims() -> None:
    by_arm = refused(409, {"error": {"code": "ScopeLocked", "message": "locked: rg"}})
    assert "az lock list" in by_arm.message and "az lock list" in problem_in("ScopeLocked: locked: rg").message


def test_a_policy_is_named_with_the_property_that_it_judges() -> None:
    error = {"code": "RequestDisallowedByPolicy", "message": "Resource 'w1' was disallowed by policy."}
    named = error | {"additionalInfo": [POLICY]}
    nested = {"code": "Failed", "message": "m", "details": [named]}
    for one in (refused(403, {"error": named}), refused(200, as_operation(nested))):
        assert one.type == "CloudPolicyRefused"
        assert "'Allowed virtual machine sizes', assigned as 'gpu-sizes'" in one.message
        assert "properties.vmSize" in one.message and "deploy/azure" not in one.message


def test_a_code_inside_a_sentence_of_aks_counts() -> None:
    """AKS quotes the network's error as text."""
    words = "VMSSAgentPoolReconciler retry failed: Code='SubnetIsFull' Message='s with address prefix p is full'"
    assert refused(200, as_operation({"code": "ReconcileVMSSAgentPoolFailed", "message": words})).type == "SubnetFull"


def test_a_policy_that_aks_quotes_without_its_code_is_one() -> None:
    words = "Provisioning failed. Message: Resource 'rt' was disallowed by policy. Policy identifiers: '[{\"x\": 1}]'"
    assert refused(400, {"code": "BadRequest", "message": words}).type == "CloudPolicyRefused"


@pytest.mark.parametrize(
    "body", [{}, {"error": None}, {"error": "words"}, {"error": {"code": None, "details": "x", "additionalInfo": {}}}]
)
def test_an_answer_without_an_error_is_judged_by_its_status(body: dict[str, Any]) -> None:
    assert refused(403, body).type == "CloudForbidden"
    assert refused(409, body).type == "CloudBusy"
    assert refused(503, body).type == "CloudUnreachable"


def test_the_log_of_a_machine_is_no_answer_about_the_request() -> None:
    log = "vmssCSE failed: curl: AuthenticationFailed, disk quota, the host does not have permission"
    assert refused(200, as_operation({"code": "VMExtensionProvisioningError", "message": log})).type == "PoolFailed"
    assert problem_in(f"LaunchFailed: VMExtensionProvisioningError: {log}").reason == "PoolFailed"


def test_an_error_without_a_message_is_not_called_none() -> None:
    told = refused(409, {"error": {"code": "ScopeLocked", "message": None}})
    assert told.type == "CloudLocked" and "None" not in told.message


def test_a_throttled_request_is_no_quota_of_machines() -> None:
    error = {"error": {"code": "TooManyRequests", "message": "over the request quota of this subscription"}}
    assert refused(429, error).type == "CloudThrottled"
    assert refused(200, as_operation(error["error"])).type == "CloudThrottled"
    assert not refused(429, error).non_retryable


WRAPPERS: Final = ("Conflict", "RetryableError", "RetryableErrorDueToAnotherOperation", "DeploymentFailed")


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("row", [row for row in REFUSALS if row[3] != "CloudBusy"], ids=lambda row: row[1])
def test_a_refusal_inside_of_a_busy_word_is_no_matter_of_waiting(
    wrapper: str, row: tuple[int, str, str, str, bool]
) -> None:
    _, code, message, reason, _ = row
    inner = {"code": code, "message": message}
    for error in (
        {"code": wrapper, "message": "See details.", "details": [inner]},
        {"code": wrapper, "message": "See details.", "details": inner},
        {"code": wrapper, "message": json.dumps({"error": inner})},
    ):
        assert refused(409, {"error": error}).type == reason


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("Operation results in exceeding approved Total Regional Cores quota.", "QuotaExceeded"),
        ("The write cannot be done because the following scope(s) are locked: 'x'", "CloudLocked"),
        ("Another operation (w1 - Updating) is in progress", "CloudBusy"),
        ("The resource was changed meanwhile", "CloudBusy"),
    ],
)
def test_a_conflict_is_what_its_words_say(message: str, reason: str) -> None:
    assert refused(409, {"error": {"code": "Conflict", "message": message}}).type == reason


@pytest.mark.parametrize("code", ["OperationNotAllowed", "operationnotallowed", "OPERATIONNOTALLOWED"])
def test_a_stopped_cluster_is_waited_for_whatever_the_case_of_the_code(code: str) -> None:
    assert refused(400, {"error": {"code": code, "message": "The cluster is stopped."}}).type == "ClusterStopped"


@pytest.mark.parametrize(
    "body",
    [
        {"Error": {"Code": "QuotaExceeded", "Message": "24 cores are left"}},
        {"Code": "QuotaExceeded", "Message": "24 cores are left"},
        {"error": {"code": "QuotaExceeded", "message": {"lang": "en-us", "value": "24 cores are left"}}},
        {"error": {"code": "BadRequest", "message": "x", "innererror": {"Code": "QuotaExceeded",
                                                                       "Message": "24 cores are left"}}},
    ],
    ids=["another case", "flat", "OData's message", "an inner one"],
)  # fmt: skip
def test_a_body_of_another_form_is_read(body: dict[str, Any]) -> None:
    found = refused(400, body)
    assert found.type == "QuotaExceeded" and "QuotaExceeded: 24 cores are left. Ask Azure" in found.message
    assert "lang" not in found.message
