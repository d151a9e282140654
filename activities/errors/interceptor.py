"""Turns clients' exceptions into failures with a reason, and ends attempts.

An interceptor around every activity: each client's exceptions are mapped by the file for that client, and a worker
names the files for the clients that it has, so that it imports no other. An unmapped exception is a bug, retried a few
times and then reported as ControllerError, so that it stops one pass and not the whole controller. A failure after
which the next attempt would come too late is the last one (`activities/deadline.py`).
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from prometheus_client import Counter
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.contract.failures import failure
from activities.contract.policies import BOUNDED_ATTEMPTS
from activities.deadline import start_clock
from api.reasons import REASONS

BUG: Final = "ControllerError"
BUG_ATTEMPTS: Final = 5

FAILURES: Final = Counter("modelyard_activity_failures", "Attempts of activities that failed", ["activity", "reason"])
"""Every attempt counts. `reason` is a word of the table of reasons, which bounds the number of time series."""

Mapping = Callable[[Exception], ApplicationError | None]
"""Returns the failure for an exception of one client, None for any other exception."""


class FailureInterceptor(Interceptor):
    """Registers the interceptor with a worker. The first mapping that knows an exception counts."""

    def __init__(self, mappings: Sequence[Mapping]) -> None:
        self._mappings = tuple(mappings)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wraps one more layer around the activity."""
        return _Boundary(next, self._mappings)


class _Boundary(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, mappings: Sequence[Mapping]) -> None:
        super().__init__(next)
        self._mappings = mappings

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info, clock = activity.info(), start_clock()
        try:
            return await super().execute_activity(input)
        except Exception as error:  # the boundary to Temporal: every error gets a type, none is swallowed
            mapped = clock.last(mapped_failure(error, info.attempt, self._mappings))
            FAILURES.labels(info.activity_type, reason_of(mapped)).inc()
            if mapped is error:
                raise
            raise mapped from error


def mapped_failure(error: Exception, attempt: int, mappings: Sequence[Mapping]) -> Exception:
    """Returns the error that Temporal should see at this attempt."""
    known = _known(error, mappings)
    if known is None:
        return _bug(error) if attempt >= BUG_ATTEMPTS else error
    if attempt >= BOUNDED_ATTEMPTS.get(known.type or "", attempt + 1):
        return failure(known.type or "", f"{known.message} (tried {attempt} times)", final=True)
    return known


def reason_of(error: Exception) -> str:
    """Returns the word by which a failed attempt is counted; what nobody has mapped is a bug from its first attempt."""
    kind = error.type if isinstance(error, ApplicationError) else None
    return kind if kind in REASONS else BUG


def _known(error: Exception, mappings: Sequence[Mapping]) -> ApplicationError | None:
    if isinstance(error, ApplicationError):
        return error
    found = (mapping(error) for mapping in mappings)
    return next((mapped for mapped in found if mapped is not None), None)


def _bug(error: Exception) -> ApplicationError:
    return failure(BUG, f"{type(error).__name__}: {error}", final=True)
