"""Maps Azure Resource Manager's errors to failure types. The only place that parses its error codes and texts.

Codes and wordings are Azure's, from its public documentation and reports; `OperationNotAllowed` is the one code whose
message must be parsed, because Azure uses it for quota and for a busy pool alike.
"""

import re
from datetime import timedelta
from typing import Any, Final

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from temporalio.exceptions import ApplicationError

from activities.contract.failures import failure

_QUOTA: Final = {"ErrCode_InsufficientVCPUQuota", "QuotaExceeded", "InsufficientVCPUQuota"}
_RESTRICTED: Final = {"SkuNotAvailable", "NotAvailableForSubscription"}
_NO_CAPACITY: Final = {
    "AllocationFailed",
    "ZonalAllocationFailed",
    "OverconstrainedAllocationRequest",
    "OverconstrainedZonalAllocationRequest",
}
_BUSY: Final = {"AnotherOperationInProgress", "OperationPreempted", "OriginalEtagNotExpect", "EtagMismatch", "Conflict"}
_STOPPED: Final = {"ClusterIsStopped", "ManagedClusterNotRunning", "OperationNotAllowedOnStoppedCluster"}
_CAPACITY_PAUSE: Final = timedelta(seconds=30)
_BUSY_PAUSE: Final = timedelta(seconds=5)

MESSAGE_MAX: Final = 700

_QUOTA_TEXT = re.compile(r"exceeding approved .{0,200}quota|quota", re.IGNORECASE)
_RESTRICTED_TEXT = re.compile(r"VM size .{0,200} is not (allowed|available)", re.IGNORECASE)
_STOPPED_TEXT = re.compile(r"\b(stopped|deallocated|power ?state)\b", re.IGNORECASE)
_POOL_LIMIT_TEXT = re.compile(r"(maximum|limit).{0,40}(node|agent) ?pools", re.IGNORECASE)


def azure_failure(error: Exception) -> ApplicationError | None:
    """Returns the failure for what a call of the SDK raises, None for any other exception."""
    if isinstance(error, AzureError):
        return from_azure(error)
    if isinstance(error, TimeoutError):
        return failure("CloudUnreachable", f"Azure Resource Manager did not answer: {error!r}")
    return None


def from_azure(error: AzureError) -> ApplicationError:
    """Returns a typed failure that keeps Azure's own message, so that its numbers reach the user."""
    if isinstance(error, ClientAuthenticationError):
        return failure("CloudForbidden", f"Azure refused our credential: {error.message}. Check the worker's identity")
    if isinstance(error, ServiceRequestError | ServiceResponseError) or not isinstance(error, HttpResponseError):
        return failure("CloudUnreachable", f"Azure Resource Manager did not answer: {error}")
    codes, message = codes_and_message(error)
    text = f"Azure answered {codes[0] if codes else error.status_code}: {message}"
    return _of(set(codes), error.status_code or 0, text, _retry_after(error))


def _of(codes: set[str], status: int, text: str, retry_after: timedelta | None) -> ApplicationError:
    if codes & _QUOTA or (codes & {"OperationNotAllowed", "BadRequest"} and _QUOTA_TEXT.search(text)):
        return failure("QuotaExceeded", f"{text}. Ask Azure for more quota or choose another instanceType")
    if codes & _RESTRICTED or _RESTRICTED_TEXT.search(text):
        return failure("SkuNotAvailable", f"{text}. Choose another instanceType or region")
    if codes & _NO_CAPACITY:
        return failure("AllocationFailed", text, retry_after=retry_after or _CAPACITY_PAUSE)
    if _POOL_LIMIT_TEXT.search(text):
        return failure("PoolLimitReached", f"{text}. Delete pools that are not used")
    if codes & _STOPPED or (status == 409 and _STOPPED_TEXT.search(text)):
        return failure("ClusterStopped", text, retry_after=retry_after or timedelta(seconds=30))
    if codes & _BUSY or status in (409, 412):
        return failure("CloudBusy", text, retry_after=retry_after or _BUSY_PAUSE)
    if status == 429:
        return failure("CloudThrottled", text, retry_after=retry_after or timedelta(seconds=10))
    if status in (401, 403):
        return failure("CloudForbidden", f"{text}. The role in deploy/azure lists the rights that are needed")
    if status >= 500 or status == 408:
        return failure("CloudUnreachable", text, retry_after=retry_after)
    if status in (200, 201, 202):  # the request was accepted, and the operation ended as Failed
        return failure("PoolFailed", text)
    return failure("CloudRequestRefused", text, status=status)


def codes_and_message(error: HttpResponseError) -> tuple[list[str], str]:
    """Every code of a nested ARM error, outermost first, and the innermost message: the one with the numbers."""
    node: Any = error.error
    codes: list[str] = []
    message = str(error.message)
    pending = [node] if node else []
    while pending:
        current = pending.pop(0)
        if getattr(current, "code", None):
            codes.append(str(current.code))
        message = str(getattr(current, "message", None) or message)
        pending += list(getattr(current, "details", None) or [])
    return codes, shortened(" ".join(message.split()))


def shortened(message: str) -> str:
    """At most MESSAGE_MAX characters: Azure's numbers come first, long tails are logs of machines."""
    return message if len(message) <= MESSAGE_MAX else message[: MESSAGE_MAX - 1] + "…"


def _retry_after(error: HttpResponseError) -> timedelta | None:
    headers: Any = getattr(error.response, "headers", {})
    value = headers.get("Retry-After")
    return timedelta(seconds=float(value)) if value and value.replace(".", "", 1).isdigit() else None
