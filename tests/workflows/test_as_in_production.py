"""Workflows as `python -m worker` runs them: without the sandbox, all in one process' modules, with failures mapped."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from activities.contract import signatures as s
from activities.contract.failures import failure
from process.settings import TemporalSettings
from process.temporal import connect
from tests.fakes.world import World
from tests.workflows.conftest import Bench
from tests.workflows.production import production_workers


class Unknown(Exception):
    """What the client of these activities raises."""


def failures(error: Exception) -> ApplicationError | None:
    """The mapping of these workers."""
    return failure("QuotaExceeded", "0 of 24 vCPUs are left") if isinstance(error, Unknown) else None


@pytest.fixture
async def client(live: WorkflowEnvironment) -> Client:
    """Connected as a process connects: without the plugin of the other tests, which brings the sandbox."""
    return await connect(TemporalSettings(temporal_address=live.client.service_client.config.target_host))


@pytest.fixture
async def benches(live: WorkflowEnvironment, client: Client) -> AsyncIterator[list[Bench]]:
    """Two Workspaces in one world and one worker for each queue."""
    world = World()
    async with production_workers(client, world, failures):
        made = [Bench(env=live, client=client, world=world) for _ in range(2)]
        yield made
        for bench in made:
            await bench.end()


async def test_workspaces_live_beside_each_other(benches: list[Bench]) -> None:
    for bench in benches:
        await bench.signal()
    for bench in benches:
        state = await bench.settled()
        assert (state.key.name, state.status.phase) == (bench.name, "Ready")
    await asyncio.gather(*(bench.delete() for bench in benches))
    assert not benches[0].world.pools


async def test_an_exception_of_a_client_is_the_reason_that_its_mapping_names(benches: list[Bench]) -> None:
    bench = benches[0]
    bench.world.fail_next(s.ENSURE_NODE_POOL, Unknown())
    await bench.signal()
    state = await bench.settled("failed")
    assert state.status.reason == "QuotaExceeded"
