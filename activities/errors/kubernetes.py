"""Maps the API server's error responses to failure types. The only place that parses their bodies."""

from datetime import timedelta

import aiohttp
from kubernetes.aio.client.exceptions import ApiException
from temporalio.exceptions import ApplicationError

from activities.clients.api_server.paths import NameRefused
from activities.contract.failures import failure
from api.configs.json_reading import read_json


def kubernetes_failure(error: Exception) -> ApplicationError | None:
    """Returns the failure for what a request to the API server raises, None for any other exception."""
    if isinstance(error, ApiException):
        return from_kubernetes(error)
    if isinstance(error, NameRefused):
        return failure("InvalidSpec", f"{error}. Correct the name in the Workspace")
    if isinstance(error, aiohttp.ClientError | TimeoutError):
        return failure("ApiServerAway", f"the Kubernetes API server did not answer: {error!r}")
    return None


def from_kubernetes(error: ApiException) -> ApplicationError:
    """Busy (409, 429, 5xx) is retried; everything else is a fact about the request, our permissions or the object."""
    message = f"the Kubernetes API server answered {error.status}: {message_of(error)}"
    if error.status == 429:
        return failure("ApiServerUnavailable", message, retry_after=_retry_after(error))
    if error.status == 409 or error.status >= 500 or error.status == 0:
        return failure("ApiServerUnavailable", message)
    if error.status == 403:
        message += ". Give this identity the right in deploy/rbac, or remove the policy that forbids it"
    return failure("ApiServerRefused", message, status=error.status)


def message_of(error: ApiException) -> str:
    """Returns the message of a Status body, or the HTTP reason if there is no such body."""
    try:
        body = read_json(error.body or "")
    except ValueError:
        return str(error.reason or error.body or "no reason given")
    return str(body.get("message") or error.reason) if isinstance(body, dict) else str(error.reason)


def _retry_after(error: ApiException) -> timedelta:
    headers = error.headers or {}
    value = headers.get("Retry-After", "1")
    return timedelta(seconds=int(value)) if str(value).isdigit() else timedelta(seconds=1)
