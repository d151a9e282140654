"""Handles messages with another UID under the same name: stale events of a deleted Workspace, or the first event of one
recreated under that name.

The Workspace is read from the API server to tell which. If its UID has changed, this workflow releases everything and
then continues as new for the successor. Until then the successor's status shows what it waits for.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.contract import signatures
from activities.contract.payloads import StatusPatch
from workflows.execute import call, is_cancelled, reason_and_message, stop
from workflows.messages import Changed
from workflows.status import content
from workflows.status.reporter import StatusReporter

Result = TypeVar("Result")


class Successor:
    """Messages with a foreign UID, and the successor found. `message` is the newest message not checked yet."""

    def __init__(self, reporter: StatusReporter) -> None:
        self._reporter = reporter
        self.message: Changed | None = None
        self._successor: Changed | None = None

    async def look(self) -> None:
        """Checks a pending message against the API server. If the read fails, the message itself is used."""
        word, self.message = self.message, None
        if word is None:
            return
        key = self._reporter.state.key
        try:
            there = await call(signatures.READ_WORKSPACE, key, summary=f"who is {word.uid}?")
        except ActivityError as error:
            if is_cancelled(error):
                raise asyncio.CancelledError from None
            workflow.logger.warning("nobody says who is there", extra={"cause": reason_and_message(error)[1]})
            self._successor = word
            return
        if there.uid == key.uid:
            return
        self._reporter.gone = True
        facts = {"uid": there.uid, "generation": there.generation, "deleting": there.deleting}
        self._successor = word.model_copy(update=facts) if there.found else None

    async def successor(self) -> Changed | None:
        """Returns the successor, if any. No await may come between this result and continue-as-new."""
        while self.message is not None:
            await self.look()
        return self._successor

    async def run_while_reporting(self, way_out: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Returns the result of `way_out`; meanwhile the successor's status shows what it waits for."""
        telling = asyncio.create_task(self._tell())
        try:
            result = await way_out()
        except GeneratorExit:  # the worker evicted the workflow: this coroutine is being collected and must not await
            raise
        except BaseException:
            await stop([telling])
            raise
        await stop([telling])
        return result

    async def _tell(self) -> None:
        """Checks every message and writes the successor's status whenever it has changed, until cancelled."""
        told: tuple[str, str] | None = None
        while True:
            await workflow.wait_condition(lambda told=told: self.message is not None or self._news() != told)  # type: ignore[misc]
            word = self.message
            try:
                await self.look()
            except asyncio.CancelledError:
                self.message = self.message or word  # it has not been checked
                raise
            told = self._news()
            if told is not None:
                await self._write(*told)

    def _news(self) -> tuple[str, str] | None:
        """The successor's uid and what it waits for; None without a successor or if it is being deleted."""
        after = self._successor
        if after is None or after.deleting:
            return None
        doing = self._reporter.state.status.message
        return after.uid, f"waits until everything is given back that the Workspace of this name before it had: {doing}"

    async def _write(self, uid: str, message: str) -> None:
        """Writes the successor's status. A failed write is logged only; the next change retries."""
        assert self._successor is not None
        state = self._successor.beginning(self._reporter.state.key.model_copy(update={"uid": uid}))
        status = state.status
        status.reason, status.message, status.since = self._reporter.state.status.reason, message, workflow.now()
        patch = StatusPatch(workspace=state.key, status=content.status_document(state, workflow.now()))
        try:
            await call(signatures.PATCH_STATUS, patch, summary=f"its successor {uid} waits")
        except ActivityError as error:
            if is_cancelled(error):
                raise asyncio.CancelledError from None
            workflow.logger.warning("the successor could not be told", extra={"cause": str(error.cause)})
