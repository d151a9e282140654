"""Events and bytes of a Workspace's workflow in Temporal, over all of its runs."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from temporalio.client import Client

QUIET_S: Final = 3.0
"""Without a new event for so long, a workflow is at rest: what follows a state is done within a second."""
LOOK_S: Final = 0.5
WITHIN_S: Final = 180.0
LOOKS_AT_ONCE: Final = 20


@dataclass(frozen=True)
class Written:
    """`bytes` are those of the events as the server sends them."""

    events: int = 0
    bytes: int = 0

    def since(self, before: "Written") -> "Written":
        """Returns what came after `before`."""
        return Written(self.events - before.events, self.bytes - before.bytes)


async def written_at_rest(client: Client, workflow_id: str) -> Written:
    """Waits until nothing is added to the history, then measures it. Raises TimeoutError."""
    deadline = time.monotonic() + WITHIN_S
    last, since = await _written(client, workflow_id), time.monotonic()
    while time.monotonic() - since < QUIET_S:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{workflow_id} is never at rest: still new events after {WITHIN_S:g} s")
        await asyncio.sleep(LOOK_S)
        now = await _written(client, workflow_id)
        if now != last:
            last, since = now, time.monotonic()
    return last


async def all_events(client: Client, workflow_ids: list[str]) -> int:
    """Returns the events of the current runs of many workflows, without reading them."""
    room = asyncio.Semaphore(LOOKS_AT_ONCE)

    async def length(workflow_id: str) -> int:
        async with room:
            return (await client.get_workflow_handle(workflow_id).describe()).history_length

    return sum(await asyncio.gather(*map(length, workflow_ids)))


async def _written(client: Client, workflow_id: str) -> Written:
    events = size = 0
    async for run in client.list_workflows(f"WorkflowId = '{workflow_id}'"):
        history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        events += len(history.events)
        size += sum(event.ByteSize() for event in history.events)
    return Written(events, size)
