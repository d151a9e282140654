"""How workflows call activities: by signature, with the queue and policy of the tables, and with words for the
Temporal UI.

Also: running steps side by side so that the first failure stops the others, and reading a failure's reason.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    TimeoutError,
    is_cancelled_exception,
)

from activities.contract.policies import config_of
from activities.contract.signatures import Signature
from api.reasons import REASONS

Argument = TypeVar("Argument")
Result = TypeVar("Result")


async def call(
    signature: Signature[Argument, Result], argument: Argument, *, summary: str, deadline_s: int | None = None
) -> Result:
    """Runs one activity; `summary` is what people read in the Temporal UI. Raises ActivityError."""
    options: dict[str, Any] = dict(config_of(signature, deadline_s))
    result: Result = await workflow.execute_activity(
        signature.name, argument, result_type=signature.result, summary=summary, **options
    )
    _stop_if_asked()
    return result


def _stop_if_asked() -> None:
    """An activity that we wait for when it is cancelled may still succeed; then the cancellation would be forgotten."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def gather_or_cancel(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    """Runs all to their end. On the first failure the others are cancelled and awaited; then that failure is raised.

    asyncio's TaskGroup would raise an ExceptionGroup, which Temporal does not take for a failure of ours.
    """
    tasks = [asyncio.create_task(one) for one in work]
    try:
        return list(await asyncio.gather(*tasks))
    except GeneratorExit:  # the worker went away: this coroutine is swept up, and may await nothing
        raise
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def stop(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancels what is under way and waits until all have ended, however they do."""
    stopped = list(tasks)
    for task in stopped:
        task.cancel()
    await asyncio.gather(*stopped, return_exceptions=True)


async def await_uncancelled(work: "asyncio.Task[Any]") -> bool:
    """Waits until `work` has ended, whatever asks us to stop meanwhile; tells whether we were asked.

    A plain `await asyncio.shield(work)` would leave: the outer await still raises and the work is abandoned.
    """
    asked = False
    while not work.done():
        try:
            await workflow.wait([work])
        except asyncio.CancelledError:
            asked = True
    return asked


def is_cancelled(error: BaseException) -> bool:
    """Whether the error only says that we were asked to stop."""
    return is_cancelled_exception(error)


def reason_and_message(error: FailureError) -> tuple[str, str]:
    """What to tell the user: the reason and sentence of the innermost failure that has one."""
    cause: BaseException | None = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, TimeoutError):
        last = cause.cause
        said = f"; the last word was: {last.message}" if isinstance(last, ApplicationError) else ""
        what = error.activity_type if isinstance(error, ActivityError) else "a step"
        reason = last.type if isinstance(last, ApplicationError) and last.type in REASONS else "DeadlineExceeded"
        return str(reason), f"{what} did not end before its deadline{said}"
    if isinstance(cause, ApplicationError) and cause.type in REASONS:
        return str(cause.type), cause.message
    return "ControllerError", f"{type(cause or error).__name__}: {cause or error}"
