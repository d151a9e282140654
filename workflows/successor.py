"""Words about another uid under our name: late ones of a predecessor as often as the first of a successor.

They are checked, not believed: the object itself is asked who it is. Where it is not ours any more our life ends, and
when everything is given back the successor's begins in a new run. Until then its status says what it waits for.
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
    """What was heard of others, and who comes after us. `message` is the newest word that nobody has looked into."""

    def __init__(self, reporter: StatusReporter) -> None:
        self._reporter = reporter
        self.message: Changed | None = None
        self._successor: Changed | None = None

    async def look(self) -> None:
        """Asks who is there, if anybody was heard of. Where the API server does not say, the word counts at the end."""
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
        """Whose life begins after ours. Nothing may be awaited between the answer and that beginning."""
        while self.message is not None:
            await self.look()
        return self._successor

    async def run_while_reporting(self, way_out: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """What the way out comes to; whoever comes after us is told what it waits for."""
        telling = asyncio.create_task(self._tell())
        try:
            result = await way_out()
        except GeneratorExit:  # the worker went away: this coroutine is swept up, and may await nothing
            raise
        except BaseException:
            await stop([telling])
            raise
        await stop([telling])
        return result

    async def _tell(self) -> None:
        """Looks into every word and writes the successor's status whenever it has changed. Until it is cancelled."""
        told: tuple[str, str] | None = None
        while True:
            await workflow.wait_condition(lambda told=told: self.message is not None or self._news() != told)  # type: ignore[misc]
            word = self.message
            try:
                await self.look()
            except asyncio.CancelledError:
                self.message = self.message or word  # nobody has looked into it
                raise
            told = self._news()
            if told is not None:
                await self._write(*told)

    def _news(self) -> tuple[str, str] | None:
        """The successor's uid and what it waits for; None without one that lives."""
        after = self._successor
        if after is None or after.deleting:
            return None
        doing = self._reporter.state.status.message
        return after.uid, f"waits until everything is given back that the Workspace of this name before it had: {doing}"

    async def _write(self, uid: str, message: str) -> None:
        """A status that cannot be written is no reason to stop: the next change tries again."""
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
