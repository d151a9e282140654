"""Sends messages to workflows by signal-with-start: a message is durable as soon as Temporal has accepted it.

Order per Workspace is kept, Workspaces do not wait for each other, and unsent messages of one are merged. While
Temporal is unavailable, messages are retried and none is lost.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from activities.contract import queues
from activities.contract.payloads import WorkspaceKey
from api import names
from workflows.messages import SIGNAL_CHANGED, Changed, WorkspaceInput
from workflows.status import search_attributes
from workflows.workspace import WorkspaceWorkflow

log = logging.getLogger(__name__)

RPC_TIMEOUT: Final = timedelta(seconds=10)
PAUSES_S: Final = (0.2, 1.0, 3.0, 10.0)
SENDING_AT_ONCE: Final = 32

Send = Callable[[names.WorkspaceKey, Changed], Awaitable[None]]


def merged(waiting: Changed | None, newer: Changed) -> Changed:
    """Merges two messages of one Workspace. A message with another UID replaces the older one."""
    if waiting is None or waiting.uid != newer.uid:
        return newer
    return newer.model_copy(
        update={
            "generation": max(waiting.generation, newer.generation),
            "deleting": waiting.deleting or newer.deleting,
            "gone": waiting.gone or newer.gone,
            "resync": waiting.resync or newer.resync,
            "retry": newer.retry or waiting.retry,
            "paused": waiting.paused if newer.paused is None else newer.paused,
            "sighting": newer.sighting or waiting.sighting,
        }
    )


class Signaller:
    """The outbox: at most one message per Workspace is queued, at most SENDING_AT_ONCE are being sent."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: dict[names.WorkspaceKey, Changed] = {}
        self._senders: dict[names.WorkspaceKey, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(SENDING_AT_ONCE)
        self.sent = 0

    def enqueue(self, key: names.WorkspaceKey, message: Changed) -> None:
        """Queues the message without waiting."""
        self._waiting[key] = merged(self._waiting.get(key), message)
        if key not in self._senders:
            self._senders[key] = asyncio.create_task(self._drain(key))

    async def idle(self) -> None:
        """Returns when Temporal has accepted every queued message."""
        while self._senders:
            await asyncio.gather(*self._senders.values())

    async def _drain(self, key: names.WorkspaceKey) -> None:
        failures = 0
        try:
            while key in self._waiting:
                message = self._waiting.pop(key)
                try:
                    async with self._slots:
                        await self._send(key, message)
                    self.sent, failures = self.sent + 1, 0
                except (RPCError, RuntimeError) as error:  # the SDK raises RuntimeError when it cannot connect
                    log.warning("could not signal the workflow of %s/%s, trying again: %s", *key, error)
                    self._waiting[key] = merged(message, self._waiting.get(key, message))
                    failures += 1
                    await asyncio.sleep(PAUSES_S[min(failures, len(PAUSES_S)) - 1])
        finally:
            del self._senders[key]


def to_temporal(client: Client, *, searchable: bool = True) -> Send:
    """Returns a sender by signal-with-start: a running workflow gets only the signal, otherwise one is started.
    `searchable`: whether Temporal has the search attributes, which every workflow is told."""

    async def send(key: names.WorkspaceKey, message: Changed) -> None:
        message = message.model_copy(update={"searchable": searchable})
        if message.gone:
            await _signal_if_running(client, key, message)
            return
        workspace = WorkspaceKey(namespace=key.namespace, name=key.name, uid=message.uid)
        await client.start_workflow(
            WorkspaceWorkflow.run,
            WorkspaceInput(key=workspace, searchable=searchable),
            id=names.workflow_id(*key),
            task_queue=queues.WORKSPACES,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=SIGNAL_CHANGED,
            start_signal_args=[message],
            static_summary=f"Workspace {key.namespace}/{key.name}",
            memo={"uid": message.uid},
            search_attributes=search_attributes.at_start(key.namespace, searchable=searchable),
            priority=queues.started_for(key.namespace),
            rpc_timeout=RPC_TIMEOUT,
        )

    return send


async def _signal_if_running(client: Client, key: names.WorkspaceKey, message: Changed) -> None:
    """Signals without starting: a deleted Workspace without a workflow has nothing left to release."""
    handle = client.get_workflow_handle(names.workflow_id(*key))
    try:
        await handle.signal(SIGNAL_CHANGED, message, rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
