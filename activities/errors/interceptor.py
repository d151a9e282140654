"""Turns clients' exceptions into failures with a reason, and ends attempts.

An interceptor around every activity: each client's exceptions are mapped by the file for that client. An unmapped
exception is a bug, retried a few times and then reported as ControllerError, so that it stops one pass and not the
whole controller.
"""

from typing import Any, Final

import aiohttp
from azure.core.exceptions import AzureError
from kubernetes.aio.client.exceptions import ApiException
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.contract.failures import failure
from activities.contract.policies import BOUNDED_ATTEMPTS
from activities.errors.azure import from_azure
from activities.errors.kubernetes import from_kubernetes

BUG_ATTEMPTS: Final = 5


class FailureInterceptor(Interceptor):
    """Registers the interceptor with a worker."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wraps one more layer around the activity."""
        return _Mapping(next)


class _Mapping(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        attempt = activity.info().attempt
        try:
            return await super().execute_activity(input)
        except Exception as error:  # the boundary to Temporal: every error gets a type, none is swallowed
            mapped = mapped_failure(error, attempt)
            if mapped is error:
                raise
            raise mapped from error


def mapped_failure(error: Exception, attempt: int) -> Exception:
    """Returns the error that Temporal should see at this attempt."""
    known = _known(error)
    if known is None:
        return _bug(error) if attempt >= BUG_ATTEMPTS else error
    if attempt >= BOUNDED_ATTEMPTS.get(known.type or "", attempt + 1):
        return failure(known.type or "", f"{known.message} (tried {attempt} times)", final=True)
    return known


def _known(error: Exception) -> ApplicationError | None:
    if isinstance(error, ApplicationError):
        return error
    if isinstance(error, ApiException):
        return from_kubernetes(error)
    if isinstance(error, AzureError):
        return from_azure(error)
    if isinstance(error, aiohttp.ClientError | TimeoutError):
        return failure("ApiServerUnavailable", f"the Kubernetes API server did not answer: {error!r}")
    return None


def _bug(error: Exception) -> ApplicationError:
    return failure("ControllerError", f"{type(error).__name__}: {error}", final=True)
