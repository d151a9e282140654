"""Words about another uid under our name: late ones of a predecessor as often as the first of a successor.

They are checked, not believed: the object itself is asked who it is. Where it is not ours any more our life ends, and
when everything is given back the successor's begins in a new run.
"""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities import signatures
from workflows.calling import call, is_cancelled, reason_and_message
from workflows.messages import Changed
from workflows.recording import Notebook


class Namesakes:
    """What was heard of others, and who comes after us. `word` is the newest word that nobody has looked into."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self.word: Changed | None = None
        self._successor: Changed | None = None

    async def look(self) -> None:
        """Asks who is there, if anybody was heard of. Where the API server does not say, the word counts at the end."""
        word, self.word = self.word, None
        if word is None:
            return
        key = self._notebook.state.key
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
        self._notebook.gone = True
        facts = {"uid": there.uid, "generation": there.generation, "deleting": there.deleting}
        self._successor = word.model_copy(update=facts) if there.found else None

    async def successor(self) -> Changed | None:
        """Whose life begins after ours. Nothing may be awaited between the answer and that beginning."""
        while self.word is not None:
            await self.look()
        return self._successor
