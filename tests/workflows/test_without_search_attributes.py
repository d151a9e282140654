"""Temporal as its Cloud is to the key of a namespace: no OperatorService, and no search attributes but those that
somebody has made. Workspaces live all the same, and can be searched by once the attributes are there.
"""

import asyncio
import logging
import re
import shlex
import subprocess
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

from activities.contract import queues
from activities.contract.payloads import WorkspaceKey
from activities.contract.sweep import RunningWorkflows, WorkspaceRef
from admin.access.identity import Everybody
from admin.app import admin_application
from api import names
from process.connection.search_attributes import advice, are_searchable, lacking
from process.settings import TemporalSettings
from process.temporal import connect
from testing.deadlines import PATIENCE_S
from testing.faults.temporal_proxy import OPERATOR_SERVICE, TemporalProxy
from tests.temporal_servers import binary, dev_server
from tests.workflows.conftest import Bench, working
from watcher.signals import Send, to_temporal
from worker.offer_again import offer_again, under_way
from worker.plugin import plugin
from workflows.messages import Changed
from workflows.status.search_attributes import ALL, PHASE
from workflows.sweep.workflow import SweepRequest, SweepWorkflow
from workflows.workspace import WorkspaceWorkflow

UPSERT = EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES
FAILED = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED


@pytest.fixture
async def bare() -> AsyncIterator[WorkflowEnvironment]:
    """A server without our attributes; each test has its own, because one makes them."""
    async with dev_server(plugins=[plugin()]) as environment:
        yield environment


@pytest.fixture
async def client(bare: WorkflowEnvironment) -> AsyncIterator[Client]:
    """Connected as a process, to what refuses the OperatorService."""
    proxy = TemporalProxy(bare.client.service_client.config.target_host, refused=[OPERATOR_SERVICE])
    await proxy.listen()
    yield await connect(TemporalSettings(temporal_address=proxy.address))
    await proxy.close()


@pytest.fixture
async def bench(bare: WorkflowEnvironment) -> AsyncIterator[Bench]:
    async with working(bare) as made:
        yield made


async def tell(bench: Bench, send: Send, **changes: Any) -> None:
    """As the watcher does."""
    message = Changed(uid=bench.world.uid, generation=bench.world.generation, **changes)
    await send(names.WorkspaceKey("default", bench.name), message)
    bench.handle = bench.client.get_workflow_handle_for(WorkspaceWorkflow.run, f"workspace/default/{bench.name}")


async def events_of(bench: Bench) -> list[Any]:
    assert bench.handle is not None
    return [event.event_type for event in (await bench.handle.fetch_history()).events]


def run_the_command_of(said: str, server: WorkflowEnvironment) -> None:
    """The command for a server of one's own, as it is told."""
    [commands] = re.findall(r"`(temporal operator [^`]*)`", said)
    address = server.client.service_client.config.target_host
    for command in commands.split(" && "):
        subprocess.run([binary("temporal"), *shlex.split(command)[1:], "--address", address], check=True)


async def until_found(client: Client, query: str, found: Callable[[list[str]], bool]) -> None:
    """The search index follows a moment later."""
    async with asyncio.timeout(PATIENCE_S):
        while not found([one.id async for one in client.list_workflows(query)]):
            await asyncio.sleep(0.1)


async def test_a_whole_life_without_attributes_and_operator_service(
    client: Client, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RPCError) as refused:
        await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
    assert refused.value.status is RPCStatusCode.PERMISSION_DENIED
    with caplog.at_level(logging.WARNING):
        send = to_temporal(client, searchable=await are_searchable(client))
    assert caplog.text.count("search-attribute create --namespace default --name WorkspacePhase --type Keyword") == 1
    await tell(bench, send)
    assert (await bench.settled()).status.phase == "Ready"
    bench.world.generation += 1
    await tell(bench, send)
    await bench.settled()
    bench.world.deleting = True
    await tell(bench, send, deleting=True)
    assert bench.handle is not None and await bench.handle.result() == []
    events = await events_of(bench)
    assert UPSERT not in events and FAILED not in events
    assert not bench.world.pools


async def test_a_workflow_that_was_not_told_fails_its_task(client: Client, bench: Bench) -> None:
    """Why it has to be told: the server refuses the task."""
    await bench.signal()
    async with asyncio.timeout(PATIENCE_S):
        while FAILED not in await events_of(bench):
            await asyncio.sleep(0.1)
    # The next message of a watcher that knows better sets it right.
    await tell(bench, to_temporal(client, searchable=False))
    assert (await bench.settled()).status.phase == "Ready"


async def test_attributes_that_are_made_later_are_written_after_the_watchers_restart(
    client: Client, bench: Bench, bare: WorkflowEnvironment
) -> None:
    await tell(bench, to_temporal(client, searchable=False))
    await bench.settled()
    assert [key.name for key in await lacking(client)] == [key.name for key in ALL]
    await asyncio.to_thread(run_the_command_of, advice("default", await lacking(client)), bare)
    async with asyncio.timeout(PATIENCE_S):
        while await lacking(client):
            await asyncio.sleep(0.1)
    assert await are_searchable(client)
    workflow_id = f"workspace/default/{bench.name}"
    await until_found(client, under_way(), lambda found: workflow_id in found)  # its phase is not known yet
    await tell(bench, to_temporal(client), resync=True)
    await until_found(client, f"{PHASE.name} = 'Ready'", lambda found: workflow_id in found)
    assert FAILED not in await events_of(bench)


async def test_the_sweep_starts_a_workflow_that_writes_none(bench: Bench) -> None:
    key = WorkspaceKey(namespace="default", name=bench.name, uid=bench.world.uid)
    bench.world.population, bench.world.searchable = [WorkspaceRef(key=key, generation=1)], False
    report = await bench.client.execute_workflow(
        SweepWorkflow.run, SweepRequest(pause_s=0), id=f"sweep-{uuid4().hex[:8]}", task_queue=queues.WORKSPACES
    )
    assert [one.key for one in report.found.without_workflow] == [key]
    bench.handle = bench.client.get_workflow_handle_for(WorkspaceWorkflow.run, f"workspace/default/{bench.name}")
    assert (await bench.settled()).status.phase == "Ready"
    events = await events_of(bench)
    assert UPSERT not in events and FAILED not in events


async def test_a_worker_that_starts_asks_all_for_their_statuses(client: Client, bench: Bench) -> None:
    await tell(bench, to_temporal(client, searchable=False))
    await bench.settled()
    await until_found(client, under_way(searchable=False), lambda found: len(found) == 1)
    assert await offer_again(client, searchable=False) == 1


async def test_the_list_by_phase_says_what_it_lacks(client: Client, bench: Bench) -> None:
    await tell(bench, to_temporal(client, searchable=False))
    await bench.settled()
    transport = httpx.ASGITransport(app=admin_application(client, Everybody(), {"admin"}))
    async with httpx.AsyncClient(transport=transport, base_url="http://admin") as http:
        refused = await http.get("/workspaces", params={"phase": "Ready"})
        assert (refused.status_code, "watcher's log has the command" in refused.text) == (409, True)
        await until_found(client, under_way(searchable=False), lambda found: len(found) == 1)
        [line] = (await http.get("/workspaces")).raise_for_status().json()
    assert (line["name"], line["phase"]) == (bench.name, "")


def test_nothing_is_lacking_in_the_sweeps_older_histories() -> None:
    assert RunningWorkflows.model_validate({"workspaces": []}).searchable
    assert Changed.model_validate({"uid": "u", "generation": 1}).searchable is None
