"""Temporal's time-skipping test server, one per session, and a fresh world, workflow id and worker per test."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any
from uuid import uuid4

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributeIndexedValueType
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.contract import queues, signatures
from activities.contract.payloads import Observed, StatusPatch, WorkspaceKey
from activities.contract.policies import HEARTBEAT_EVERY
from activities.status.writer import StatusWriter, Write
from deploy.local.services.temporal import dynamic_config
from testing.deadlines import PATIENCE_S
from testing.workflow_tasks import may_be_asked_again
from tests.fakes.world import World
from tests.temporal_servers import dev_server, skipping_server
from worker.plugin import plugin
from worker.status_interceptor import StatusInterceptor, gone_reporter
from workflows.messages import SIGNAL_CHANGED, Changed, WorkspaceInput
from workflows.state import WorkspaceState
from workflows.status import search_attributes
from workflows.sweep.workflow import SweepWorkflow
from workflows.workspace import WorkspaceWorkflow

# Looks in virtual time; together more than an hour and a half.
TRIES = 60
WORKFLOWS = (WorkspaceWorkflow, SweepWorkflow)


async def make_search_attributes(client: Client) -> None:
    """As an operator does; the time-skipping server takes none when it is started."""
    types = {
        SearchAttributeIndexedValueType.KEYWORD: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
        SearchAttributeIndexedValueType.INT: IndexedValueType.INDEXED_VALUE_TYPE_INT,
    }
    wanted = {key.name: types[key.indexed_value_type] for key in search_attributes.ALL}
    request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=wanted)
    await client.operator_service.add_search_attributes(request)


@pytest.fixture(scope="session")
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    """The time-skipping server: for retries and deadlines. It gets stuck where a cancellation meets a completion."""
    async with skipping_server(plugins=[plugin()]) as environment:
        await make_search_attributes(environment.client)
        yield environment


@pytest.fixture(scope="session")
async def live() -> AsyncIterator[WorkflowEnvironment]:
    """The dev server, which is the real one, as the local stack runs it: for races, in real time."""
    ours = search_attributes.ALL
    async with dev_server(*dynamic_config(), search_attributes=ours, plugins=[plugin()]) as environment:
        yield environment


async def progress_of(handle: WorkflowHandle[Any, Any]) -> WorkspaceState:
    """A workflow's own state, asked for again where a busy machine has had no answer. Raises RPCError."""
    ends = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await handle.query(WorkspaceWorkflow.progress)
        except RPCError as error:
            if not may_be_asked_again(error) or time.monotonic() > ends:
                raise
        await asyncio.sleep(0.1)


@dataclass
class Bench:
    """One world, its workers, and the workflow of one Workspace in it."""

    env: WorkflowEnvironment
    client: Client
    world: World
    name: str = field(default_factory=lambda: f"w-{uuid4().hex[:8]}")
    handle: WorkflowHandle[WorkspaceWorkflow, list[str]] | None = None
    history_limit: int | None = None
    """Events after which a run is over, where that is not left to the server."""

    async def signal(self, **changes: Any) -> WorkflowHandle[WorkspaceWorkflow, list[str]]:
        """Signal-with-start, as the watcher does it."""
        message = Changed(**({"uid": self.world.uid, "generation": self.world.generation} | changes))
        key = WorkspaceKey(namespace="default", name=self.name, uid=self.world.uid)
        self.handle = await self.client.start_workflow(
            WorkspaceWorkflow.run,
            WorkspaceInput(key=key, history_limit=self.history_limit),
            id=f"workspace/default/{self.name}",
            task_queue=queues.WORKSPACES,
            start_signal=SIGNAL_CHANGED,
            start_signal_args=[message],
        )
        return self.handle

    async def edit(self, **changes: Any) -> None:
        """A newer generation."""
        for key, value in changes.items():
            setattr(self.world, key, value)
        self.world.generation += 1
        await self.signal()

    async def delete(self) -> list[str]:
        """Deletes the Workspace and waits for its workflow to end."""
        self.world.deleting = True
        handle = await self.signal(deleting=True)
        return await handle.result()

    async def progress(self) -> WorkspaceState:
        """The state; asks until the workflow answers. Raises RPCError."""
        assert self.handle is not None
        return await progress_of(self.handle)

    async def scheduled(self) -> Counter[str]:
        """How often the workflow has scheduled each activity, local ones too, after every message sent before this
        call: a query is answered by a workflow task that has seen them.
        """
        assert self.handle is not None
        await self.progress()
        events = (await self.handle.fetch_history()).events
        found = [one.activity_task_scheduled_event_attributes.activity_type.name for one in events]
        local = (one.marker_recorded_event_attributes.details for one in events)
        found += [json.loads(one["data"].payloads[0].data)["activity_type"] for one in local if "data" in one]
        return Counter(name for name in found if name)

    async def until(self, condition: Any) -> WorkspaceState:
        """Lets time pass until the state fulfils the condition: virtual time in growing steps, real time patiently."""
        pauses = (
            (min(1.3**attempt, 120) for attempt in range(TRIES)) if self.env.supports_time_skipping else repeat(0.1)
        )
        ends = time.monotonic() + PATIENCE_S
        seen = "nothing"
        for pause_s in pauses:
            try:
                assert self.handle is not None
                state = await self.handle.query(WorkspaceWorkflow.progress)
            except RPCError as error:
                if not may_be_asked_again(error):
                    raise
                seen = str(error)
            else:
                if condition(state):
                    return state
                seen = state.model_dump_json(indent=1)
            if time.monotonic() > ends:
                break
            await self.env.sleep(pause_s)
        raise AssertionError(f"never came true; seen last: {seen}")

    async def end(self) -> None:
        """No workflow outlives its test: its timers would hold up the time of all that come after."""
        if self.handle is None:
            return
        try:
            await self.client.get_workflow_handle(self.handle.id).terminate("the test has ended")
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def settled(self, outcome: str = "ready") -> WorkspaceState:
        return await self.until(
            lambda state: state.status.settled == outcome and state.spec.observed == self.world.generation
        )


def activity_name(body: Any) -> str:
    return str(body.__temporal_activity_definition.name)


def confirming(writer: StatusWriter) -> Any:
    """The activity that writes a status, as the product has it: through the writer."""

    @activity.defn(name=signatures.PATCH_STATUS.name)
    async def patch_status(patch: StatusPatch) -> Observed:
        return await writer.confirm(patch)

    return patch_status


@asynccontextmanager
async def workers(
    env: WorkflowEnvironment,
    activities: list[Any],
    cached_workflows: int,
    workflows: Sequence[type] = WORKFLOWS,
    write: Write | None = None,
    places: int | None = None,
    on: Sequence[str] = queues.ALL,
) -> AsyncIterator[None]:
    """One for every queue in `on`, with these bodies of activities; `write` replaces the one that writes statuses.
    `places`: how many activities each runs at once."""
    bodies = [one for one in activities if activity_name(one) != signatures.PATCH_STATUS.name]
    [usual] = [one for one in activities if one not in bodies]
    async with AsyncExitStack() as stack:
        # Activities of a world take no time: what is gathered here would last long enough to be seen elsewhere.
        writer = StatusWriter(write or usual, gone_reporter(env.client), gather_s=0.0)
        stack.push_async_callback(writer.drain)
        for queue in on:
            worker = Worker(
                env.client,
                task_queue=queue,
                workflows=workflows if queue == queues.WORKSPACES else [],
                activities=[*bodies, confirming(writer)],
                interceptors=[StatusInterceptor(writer)],
                max_cached_workflows=cached_workflows,
                max_concurrent_activities=places,
                max_heartbeat_throttle_interval=HEARTBEAT_EVERY,
                default_heartbeat_throttle_interval=HEARTBEAT_EVERY,
            )
            await stack.enter_async_context(worker)
        yield


@asynccontextmanager
async def working(env: WorkflowEnvironment, cached_workflows: int = 100) -> AsyncIterator[Bench]:
    """Workers for every queue, with a world of their own."""
    world = World()
    async with workers(env, world.activities(), cached_workflows):
        made = Bench(env=env, client=env.client, world=world)
        yield made
        await made.end()


@pytest.fixture(params=[100])
async def bench(skipping: WorkflowEnvironment, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    """In virtual time. The parameter is the number of cached workflows: 0 replays the history at every step."""
    async with working(skipping, request.param) as made:
        yield made


@pytest.fixture
async def live_bench(live: WorkflowEnvironment) -> AsyncIterator[Bench]:
    """In real time."""
    async with working(live) as made:
        yield made
