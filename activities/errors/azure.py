"""Maps Azure Resource Manager's errors to failures: by the code, and by the HTTP status what no code explains.

What codes and words mean is one table, `azure_codes.py`; `azure_answers.py` reads the bodies. The same refusal has the
same reason whether it answers the request or ends the operation that had begun.
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
from activities.errors.azure_answers import Told, told_by
from activities.errors.azure_codes import verdict_of
from activities.errors.pauses import pause_of

_PAUSES: Final = {
    "AllocationFailed": timedelta(seconds=30),
    "CloudBusy": timedelta(seconds=5),
    "CloudThrottled": timedelta(seconds=10),
    "ClusterStopped": timedelta(seconds=30),
}
"""How long to wait where Azure names no Retry-After."""
LONGEST_PAUSE: Final = timedelta(hours=1)
"""Azure's windows of throttling are minutes to an hour; a longer pause is a mistake, and would be slept through."""
CODES_SHOWN: Final = 3

_STOPPED_TEXT = re.compile(r"\b(stopped|deallocated|power ?state)\b", re.IGNORECASE)


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
    return _of(told_by(error), error.status_code or 0, _retry_after(error))


def _of(told: Told, status: int, retry_after: timedelta | None) -> ApplicationError:
    """By the code, whichever way it was told; by the HTTP status only what no code explains."""
    text = f"Azure answered {', '.join(told.codes[:CODES_SHOWN]) or status}: {told.text}"
    if status == 429:
        return failure("CloudThrottled", text, retry_after=retry_after or _PAUSES["CloudThrottled"])
    conflict = status == 409 or any(code.lower() == "operationnotallowed" for code in told.codes)
    known = verdict_of(told.codes, told.message)
    if conflict and (known is None or known.reason == "CloudBusy") and _STOPPED_TEXT.search(told.message):
        return failure("ClusterStopped", text, retry_after=retry_after or _PAUSES["ClusterStopped"])
    if known is not None:
        pause = _PAUSES.get(known.reason)
        return failure(known.reason, _advised(text, known.remedy), retry_after=retry_after or pause if pause else None)
    if status in (409, 412):
        return failure("CloudBusy", text, retry_after=retry_after or _PAUSES["CloudBusy"])
    if status in (401, 403):
        return failure("CloudForbidden", _advised(text, "The role in deploy/azure lists the rights that are needed"))
    if status >= 500 or status == 408:
        return failure("CloudUnreachable", text, retry_after=retry_after)
    if status in (200, 201, 202):  # the request was accepted, and the operation ended as Failed
        return failure("PoolFailed", text)
    return failure("CloudRequestRefused", text, status=status)


def _advised(text: str, remedy: str) -> str:
    return f"{text.rstrip('. ')}. {remedy}" if remedy else text


def _retry_after(error: HttpResponseError) -> timedelta | None:
    headers: Any = getattr(error.response, "headers", {})
    return pause_of(headers.get("Retry-After"), LONGEST_PAUSE)
