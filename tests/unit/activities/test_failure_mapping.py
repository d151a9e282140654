"""Tables: what Azure and Kubernetes say, and which reason that is."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ODataV4Format, ServiceRequestError
from kubernetes.aio.client.exceptions import ApiException
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.contract.failures import class_of, failure
from activities.errors.azure import from_azure
from activities.errors.interceptor import BUG_ATTEMPTS, FAILURES, FailureInterceptor, mapped_failure, reason_of
from activities.errors.kubernetes import from_kubernetes, kubernetes_failure
from api.reasons import FailureClass

NOTHING: Any = None
INPUT = ExecuteActivityInput(fn=NOTHING, args=[], executor=None, headers={})


class Failing(ActivityInboundInterceptor):
    """A body that the API server refuses."""

    def __init__(self) -> None:
        """There is no next one."""

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        raise ApiException(status=403, reason="Forbidden")


def azure_error(status: int, code: str, message: str, details: list[Any] | None = None, **headers: str) -> Any:
    error = HttpResponseError(message=message)
    error.error = ODataV4Format({"error": {"code": code, "message": message, "details": details or []}})
    error.status_code = status
    error.response = SimpleNamespace(headers={key.replace("_", "-"): value for key, value in headers.items()})
    return error


NESTED = [{"code": "QuotaExceeded", "message": "Current Limit: 24, Current Usage: 24, Additional Required: 24"}]
AZURE = [
    pytest.param(400, "ErrCode_InsufficientVCPUQuota", "requested 24, remaining 0", None,
                 "QuotaExceeded", id="vcpu quota"),
    pytest.param(400, "InvalidTemplateDeployment", "see details", NESTED, "QuotaExceeded", id="inner quota code"),
    pytest.param(409, "OperationNotAllowed", "results in exceeding approved standardNCFamily Cores quota", None,
                 "QuotaExceeded", id="quota told as OperationNotAllowed"),
    pytest.param(409, "OperationNotAllowed", "Operation is not allowed because there's an in progress create node pool "
                 "operation", None, "CloudBusy", id="busy pool told as OperationNotAllowed"),
    pytest.param(409, "AnotherOperationInProgress", "wait", None, "CloudBusy", id="another operation"),
    pytest.param(412, "OriginalEtagNotExpect", "etag", None, "CloudBusy", id="stale etag"),
    pytest.param(409, "OperationNotAllowed", "the cluster is stopped", None, "ClusterStopped", id="stopped"),
    pytest.param(400, "SkuNotAvailable", "not available in eastus", None, "SkuNotAvailable", id="sku"),
    pytest.param(400, "BadRequest", "VM size Standard_X is not allowed in your subscription in location", None,
                 "SkuNotAvailable", id="restricted size"),
    pytest.param(200, "AllocationFailed", "no capacity", None, "AllocationFailed", id="no capacity"),
    pytest.param(200, "ZonalAllocationFailed", "no capacity", None, "AllocationFailed", id="no capacity in the zone"),
    pytest.param(200, "InternalOperationError", "it broke", None, "PoolFailed", id="operation ended as failed"),
    pytest.param(429, "TooManyRequests", "slow down", None, "CloudThrottled", id="throttled"),
    pytest.param(503, "ServerError", "oops", None, "CloudUnreachable", id="5xx"),
    pytest.param(403, "AuthorizationFailed", "no right", None, "CloudForbidden", id="no right"),
    pytest.param(400, "InvalidParameter", "osDiskSizeGB", None, "CloudRequestRefused", id="refused"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "code", "message", "details", "reason"), AZURE)
def test_azures_answers(status: int, code: str, message: str, details: Any, reason: str) -> None:
    mapped = from_azure(azure_error(status, code, message, details))
    assert mapped.type == reason
    assert (details[0]["message"] if details else message) in mapped.message


def test_azures_wait_is_kept() -> None:
    mapped = from_azure(azure_error(429, "TooManyRequests", "slow down", Retry_After="17"))
    assert mapped.next_retry_delay is not None and mapped.next_retry_delay.total_seconds() == 17
    assert not mapped.non_retryable


def test_no_answer_and_no_credential() -> None:
    assert from_azure(ServiceRequestError("connection refused")).type == "CloudUnreachable"
    assert from_azure(ClientAuthenticationError("no token")).type == "CloudForbidden"


@pytest.mark.parametrize(
    ("status", "reason", "again"),
    [(409, "ApiServerUnavailable", True), (429, "ApiServerUnavailable", True), (503, "ApiServerUnavailable", True),
     (403, "ApiServerRefused", False), (422, "ApiServerRefused", False)],
)  # fmt: skip
def test_the_api_servers_answers(status: int, reason: str, again: bool) -> None:
    body = json.dumps({"kind": "Status", "message": "pods is forbidden"})
    mapped = from_kubernetes(ApiException(status=status, reason="no", body=body))
    assert (mapped.type, not mapped.non_retryable) == (reason, again)
    assert "pods is forbidden" in mapped.message


def test_a_class_decides_whether_an_error_is_retried() -> None:
    assert failure("QuotaExceeded", "x").non_retryable
    assert not failure("AllocationFailed", "x").non_retryable
    assert not failure("CloudBusy", "x").non_retryable
    assert failure("NodeNotJoined", "x", final=True).non_retryable
    assert class_of("SomethingElse") is FailureClass.BUG
    with pytest.raises(KeyError, match="api/reasons"):
        failure("Tpyo", "x")


def test_attempts_of_what_is_retried_end() -> None:
    lasting = failure("AllocationFailed", "no capacity")
    assert mapped_failure(lasting, 3, [kubernetes_failure]) is lasting
    last = mapped_failure(lasting, 4, [kubernetes_failure])
    assert isinstance(last, ApplicationError) and last.non_retryable and "tried 4 times" in last.message


def test_a_bug_is_retried_a_few_times_and_then_reported() -> None:
    bug = ZeroDivisionError("division by zero")
    assert mapped_failure(bug, BUG_ATTEMPTS - 1, [kubernetes_failure]) is bug
    named = mapped_failure(bug, BUG_ATTEMPTS, [kubernetes_failure])
    assert isinstance(named, ApplicationError)
    assert (named.type, named.message) == ("ControllerError", "ZeroDivisionError: division by zero")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (failure("CloudThrottled", "x"), "CloudThrottled"),
        (failure("NodeNotJoined", "x", final=True), "NodeNotJoined"),
        (ZeroDivisionError("x"), "ControllerError"),
        (ApplicationError("x", type="of somebody else's"), "ControllerError"),
    ],
)
def test_failures_are_counted_by_words_of_the_table(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


async def test_every_attempt_that_fails_is_counted() -> None:
    async def fails(mapping: Callable[[Exception], ApplicationError | None]) -> None:
        boundary = FailureInterceptor([mapping]).intercept_activity(Failing())
        with pytest.raises((ApplicationError, ApiException)):
            await ActivityEnvironment().run(boundary.execute_activity, INPUT)

    name = ActivityEnvironment().info.activity_type
    known, unknown = FAILURES.labels(name, "ApiServerRefused"), FAILURES.labels(name, "ControllerError")
    before = known._value.get(), unknown._value.get()
    await fails(kubernetes_failure)
    await fails(kubernetes_failure)
    await fails(lambda error: None)
    assert (known._value.get(), unknown._value.get()) == (before[0] + 2, before[1] + 1)


def test_a_machines_log_does_not_fill_the_status() -> None:
    mapped = from_azure(azure_error(200, "VMExtensionError", "the node did not start: " + "trace " * 500))
    assert "the node did not start" in mapped.message
    assert len(mapped.message) < 800


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), (" 1.5 ", 1.5), ("31536000", 3600), ("9" * 400, 10), ("\u00b2", 10), ("\u0665", 10), ("-1", 10),
     ("nan", 10), ("1e3", 10), ("", 10), ("Wed, 21 Oct 2026 07:28:00 GMT", 10)],
)  # fmt: skip
def test_azures_pause_is_taken_within_reason(header: str, seconds: float) -> None:
    found = from_azure(azure_error(429, "TooManyRequests", "slow", Retry_After=header))
    assert found.type == "CloudThrottled"
    assert found.next_retry_delay is not None and found.next_retry_delay.total_seconds() == seconds
