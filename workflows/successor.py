"""Handles messages with another UID under the same name: stale events of a deleted Workspace, or the first event of one
recreated under that name.

The Workspace is read from the API server to tell which. If its UID has changed, this workflow releases everything and
then continues as new for the successor. Until then the successor's status shows what it waits for.
"""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Final, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.contract import signatures
from activities.contract.payloads import Observed, StatusPatch
from activities.contract.status_sink import offer_status
from workflows.activity_calls import call, is_cancelled, reason_and_message, stop
from workflows.messages import Changed
from workflows.status import content
from workflows.status.reporter import StatusReporter

PAUSES: Final = (timedelta(seconds=1), timedelta(seconds=5), timedelta(seconds=30))
"""Between readings of a Workspace beyond the activity's own attempts: rights that lack are often about to be there."""
Result = TypeVar("Result")


class Successor:
    """Messages with a foreign UID, and the successor found. `message` is the newest message not checked yet."""

    def __init__(self, reporter: StatusReporter) -> None:
        self._reporter = reporter
        self.message: Changed | None = None
        self._successor: Changed | None = None
        self._offered: StatusPatch | None = None

    async def check_message(self) -> None:
        """Checks a pending message against the API server. While that cannot be read, a message is used that tells of a
        Workspace, and none that tells of an end: it may be about any predecessor."""
        message, self.message = self.message, None
        if message is None:
            return
        try:
            found = await self._read(message)
        except asyncio.CancelledError:
            self.message = self.message or message  # it has not been checked
            raise
        if found is None:
            self._successor = self._successor if message.deleting else message
        elif found.uid != self._reporter.state.key.uid:
            self._reporter.vanish()
            facts = {"uid": found.uid, "generation": found.generation, "deleting": found.deleting}
            self._successor = message.model_copy(update=facts) if found.found else None

    async def _read(self, message: Changed) -> Observed | None:
        """Returns what the API server has under the name; None if it refuses to tell again and again."""
        summary = f"Successor: read the Workspace; a message has uid {message.uid}"
        for pause in (*PAUSES, None):
            try:
                return await call(signatures.READ_WORKSPACE, self._reporter.state.key, summary=summary)
            except ActivityError as error:
                if is_cancelled(error):
                    raise asyncio.CancelledError from None
                cause = reason_and_message(error)[1]
                workflow.logger.warning("could not read the Workspace of a new uid", extra={"cause": cause})
            if pause is not None:
                await workflow.sleep(pause, summary="Successor: the Workspace could not be read")
        return None

    async def successor(self) -> Changed | None:
        """Returns the successor, if any. No await may come between this result and continue-as-new."""
        while self.message is not None:
            await self.check_message()
        return self._successor

    async def run_while_reporting(self, cleanup: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Returns the result of `cleanup`; meanwhile the successor's status shows what it waits for."""
        reporting = asyncio.create_task(self._report())
        try:
            result = await cleanup()
        except GeneratorExit:  # the worker evicted the workflow: this coroutine is being collected and must not await
            raise
        except BaseException:
            await stop([reporting])
            raise
        await stop([reporting])
        return result

    async def _report(self) -> None:
        """Checks every message and offers the successor's status whenever it has changed, until cancelled."""
        reported: tuple[str, str] | None = None
        while True:
            await workflow.wait_condition(
                lambda seen=reported: self.message is not None or self._pending_status() != seen  # type: ignore[misc]
            )
            await self.check_message()
            reported = self._pending_status()
            if reported is not None:
                self._offer(*reported)

    def _pending_status(self) -> tuple[str, str] | None:
        """The successor's uid and what it waits for; None without a successor or if it is being deleted."""
        successor = self._successor
        if successor is None or successor.deleting:
            return None
        progress = self._reporter.state.status.message
        message = f"waits until the resources of the deleted Workspace of this name are released: {progress}"
        return successor.uid, message

    def _offer(self, uid: str, message: str) -> None:
        """Offers the successor's status, which its own workflow's replaces. After a replay the next change offers
        it."""
        assert self._successor is not None
        state = self._successor.beginning(self._reporter.state.key.model_copy(update={"uid": uid}))
        status, now = state.status, workflow.now()
        status.reason, status.message, status.since = self._reporter.state.status.reason, message, now
        status.revision = int(now.timestamp() * 1000) - 1  # its own workflow's first may come in the same millisecond
        self._offered = StatusPatch(workspace=state.key, status=content.status_document(state, now))
        if not workflow.unsafe.is_replaying():
            self.offer_again()

    def offer_again(self) -> None:
        """Offers the successor's status once more, if there is one."""
        if self._offered is not None:
            offer_status(self._offered)
