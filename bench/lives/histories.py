"""Events and bytes of a Workspace's workflow in Temporal, over all of its runs."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from temporalio.api.enums.v1 import EventType, PendingActivityState
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

QUIET_S: Final = 3.0
"""Without a new event for so long, a workflow is at rest: what follows a state is done within a second."""
LOOK_S: Final = 0.5
WITHIN_S: Final = 180.0
LOOKS_AT_ONCE: Final = 20


@dataclass(frozen=True)
class Written:
    """`bytes` are those of the events as the server sends them; `kinds` counts these by type, scheduled activities by
    name."""

    events: int = 0
    bytes: int = 0
    kinds: "Counter[str]" = field(default_factory=Counter)

    def since(self, before: "Written") -> "Written":
        """Returns what came after `before`."""
        return Written(self.events - before.events, self.bytes - before.bytes, self.kinds - before.kinds)

    def plus(self, other: "Written") -> "Written":
        """Returns both together."""
        return Written(self.events + other.events, self.bytes + other.bytes, self.kinds + other.kinds)


def written_in(events: Iterable[HistoryEvent]) -> Written:
    """Measures the events of one history."""
    listed = list(events)
    return Written(len(listed), sum(event.ByteSize() for event in listed), Counter(map(_kind, listed)))


def _kind(event: HistoryEvent) -> str:
    scheduled = event.activity_task_scheduled_event_attributes.activity_type.name
    return scheduled or EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").lower()


async def written_at_rest(client: Client, workflow_id: str) -> Written:
    """Waits until nothing is added to the history, then measures it. Raises TimeoutError."""
    deadline = time.monotonic() + WITHIN_S
    last, since = await _written(client, workflow_id), time.monotonic()
    while time.monotonic() - since < QUIET_S:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{workflow_id} is never at rest: still new events after {WITHIN_S:g} s")
        await asyncio.sleep(LOOK_S)
        now = await _written(client, workflow_id)
        if now != last or await _is_cancelling(client, workflow_id):
            last, since = now, time.monotonic()
    return last


async def _is_cancelling(client: Client, workflow_id: str) -> bool:
    """Whether an activity has yet to confirm that it was cancelled: it hears of that with a heartbeat, later."""
    described = await client.get_workflow_handle(workflow_id).describe()
    asked = PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED
    return any(one.state == asked for one in described.raw_description.pending_activities)


async def all_events(client: Client, workflow_ids: list[str]) -> int:
    """Returns the events of the current runs of many workflows, without reading them."""
    room = asyncio.Semaphore(LOOKS_AT_ONCE)

    async def length(workflow_id: str) -> int:
        async with room:
            return (await client.get_workflow_handle(workflow_id).describe()).history_length

    return sum(await asyncio.gather(*map(length, workflow_ids)))


async def _written(client: Client, workflow_id: str) -> Written:
    found = Written()
    async for run in client.list_workflows(f"WorkflowId = '{workflow_id}'"):
        history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        found = found.plus(written_in(history.events))
    return found
