"""Workers whose capacity follows the server's hints and the machine's resources, on the real server."""

import pytest
from temporalio.testing import WorkflowEnvironment

from process.settings import TemporalSettings
from process.temporal import connect
from tests.fakes.world import World
from tests.workflows.conftest import Bench
from tests.workflows.production import production_workers
from worker.capacity import Capacity


@pytest.mark.parametrize(
    "capacity",
    [
        pytest.param(Capacity(pollers="autoscaling", polls=10), id="autoscaling"),
        # Whatever this machine does, it does more: what goes on goes on in the slots that there are always.
        pytest.param(Capacity(slots="resources", memory=10, cpu=10), id="no resources"),
        pytest.param(Capacity(polls=2), id="few polls"),
    ],
)
async def test_a_crowd_lives_and_ends(live: WorkflowEnvironment, capacity: Capacity) -> None:
    address = live.client.service_client.config.target_host
    client, world = await connect(TemporalSettings(temporal_address=address)), World()
    benches = [Bench(env=live, client=client, world=world) for _ in range(12)]
    async with production_workers(client, world, capacity=capacity):
        for bench in benches:
            await bench.signal()
        for bench in benches:
            await bench.settled()
        world.deleting = True
        for bench in benches:
            assert await bench.delete() == []
    assert not world.pools
