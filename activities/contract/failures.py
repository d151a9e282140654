"""Turns a reason into an error that Temporal retries by the reason's class.

    Failure
    |-- wait   busy or throttled: back off as requested, attempts are unlimited, only the deadline ends them
    |-- retry  transient errors: bounded attempts, then the pass fails
    |-- fail   a fact that only a changed Workspace, quota or permission changes: no second attempt
    `-- bug    anything without a reason: bounded attempts, then phase ControllerError

Reasons, their classes, causes and fixes are one table, api/reasons.py; the reason is the error type on the wire.
errors/kubernetes.py and errors/azure.py map client exceptions to reasons.
"""

from datetime import timedelta
from typing import Any

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from api.reasons import REASONS, FailureClass, reason
from api.words import bounded


def class_of(failure_type: str) -> FailureClass:
    """The class of a failure type; a type that is not in the table of reasons is a bug."""
    known = REASONS.get(failure_type)
    return known.failure if known else FailureClass.BUG


def failure(
    failure_type: str, message: str, *, retry_after: timedelta | None = None, final: bool = False, **facts: Any
) -> ApplicationError:
    """Returns an error that Temporal retries by its class. `facts` are the numbers that the status message repeats.

    `final` ends the retries of any class: the activity has used up its own deadline. Raises KeyError if the type is not
    in the table, so that a typing mistake cannot invent a reason. The message may hold words of others: it is bounded
    here, on its way to histories and statuses.
    """
    kind = reason(failure_type).failure
    waiting = kind is FailureClass.WAIT and not final
    return ApplicationError(
        bounded(message),
        *([facts] if facts else []),
        type=failure_type,
        non_retryable=final or kind is FailureClass.FAIL,
        next_retry_delay=retry_after,
        category=ApplicationErrorCategory.BENIGN if waiting else ApplicationErrorCategory.UNSPECIFIED,
    )
