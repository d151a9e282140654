"""Calls activities from workflows by signature; queue, order and retry policy come from the tables, the summary is
shown in the Temporal UI.

Also runs steps concurrently, cancelling the others on the first failure, and extracts a failure's reason.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, Protocol, TypeVar, runtime_checkable

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    TimeoutError,
    is_cancelled_exception,
)

from activities.contract.policies import config_of, local_config_of
from activities.contract.signatures import Signature
from api.reasons import REASONS
from api.words import bounded

Argument = TypeVar("Argument")
Result = TypeVar("Result")


@runtime_checkable
class Begun(Protocol):
    """A workflow that has begun with something: then no step of it waits behind beginnings."""

    def has_begun(self) -> bool:
        """Whether it holds something."""
        ...


async def call(
    signature: Signature[Argument, Result], argument: Argument, *, summary: str, deadline_s: int | None = None
) -> Result:
    """Runs one activity; `summary` is shown in the Temporal UI. Raises ActivityError."""
    options: dict[str, Any] = dict(config_of(signature, deadline_s, begun=_has_begun()))
    result: Result = await workflow.execute_activity(
        signature.name, argument, result_type=signature.result, summary=summary, **options
    )
    _raise_if_cancelled()
    return result


async def call_locally(signature: Signature[Argument, Result], argument: Argument, *, summary: str) -> Result:
    """Runs one quick activity in the worker's own process, which costs one event instead of three and no workflow task.
    What does not succeed there soon is run as `call` runs it. Raises ActivityError.

    Only where nothing follows upon its success before something else has happened too, and never two beside each other:
    when a query comes with the workflow task, the SDK hands over the result one task later than a replay does, and the
    results of two in the order in which they ended (docs/decisions/016).
    """
    options: dict[str, Any] = dict(local_config_of(signature))
    try:
        result: Result = await workflow.execute_local_activity(
            signature.name, argument, result_type=signature.result, summary=summary, **options
        )
    except FailureError as error:  # a local activity's own failure, which is not wrapped in an ActivityError
        if is_cancelled(error):
            raise
        _raise_if_cancelled()
        return await call(signature, argument, summary=summary)
    _raise_if_cancelled()
    return result


def _has_begun() -> bool:
    instance = workflow.instance()
    return isinstance(instance, Begun) and instance.has_begun()


def _raise_if_cancelled() -> None:
    """A cancelled activity may still complete successfully; without this check the cancellation would be lost."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def gather_or_cancel(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    """Runs all concurrently to completion. The first failure cancels and awaits the others, then is raised.

    asyncio's TaskGroup would raise an ExceptionGroup, which Temporal does not treat as a FailureError.
    """
    tasks = [asyncio.create_task(one) for one in work]
    try:
        return list(await asyncio.gather(*tasks))
    except GeneratorExit:  # the worker evicted the workflow: this coroutine is being collected and must not await
        raise
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def stop(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancels the tasks and waits until all have ended; their results and errors are dropped."""
    stopped = list(tasks)
    for task in stopped:
        task.cancel()
    await asyncio.gather(*stopped, return_exceptions=True)


async def await_uncancelled(work: "asyncio.Task[Any]") -> bool:
    """Waits until `work` has ended, ignoring cancellation meanwhile. Returns whether a cancellation was requested.

    A plain `await asyncio.shield(work)` is not enough: the outer await still raises and abandons the work.
    """
    cancelled = False
    while not work.done():
        try:
            await workflow.wait([work])
        except asyncio.CancelledError:
            cancelled = True
    return cancelled


def is_cancelled(error: BaseException) -> bool:
    """Whether the error is a cancellation rather than a failure."""
    return is_cancelled_exception(error)


def reason_and_message(error: FailureError) -> tuple[str, str]:
    """Returns the reason and message for the user, from the innermost failure that has a known reason."""
    reason, message = _reason_and_words(error)
    return reason, bounded(message)


def _reason_and_words(error: FailureError) -> tuple[str, str]:
    cause: BaseException | None = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, TimeoutError):
        last = cause.cause
        cause_text = f"; the last error was: {last.message}" if isinstance(last, ApplicationError) else ""
        what = error.activity_type if isinstance(error, ActivityError) else "a step"
        reason = last.type if isinstance(last, ApplicationError) and last.type in REASONS else "DeadlineExceeded"
        return str(reason), f"{what} did not end before its deadline{cause_text}"
    if isinstance(cause, ApplicationError) and cause.type in REASONS:
        return str(cause.type), cause.message
    return "ControllerError", f"{type(cause or error).__name__}: {cause or error}"
