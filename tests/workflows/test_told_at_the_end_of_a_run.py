"""What a workflow is told while its run ends is heard by the next run, also if somebody asks for its state meanwhile.

The server refuses the end of a run that has not seen all messages, and the workflow task is carried out again. A query
that comes with a workflow task has the SDK hand over the result of a local activity one task later: a run that ended
upon such a result ended before it was handed what the repeated task brought.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.testing import WorkflowEnvironment

from process.settings import TemporalSettings
from process.temporal import connect
from testing.deadlines import PATIENCE_S
from tests.fakes.world import World
from tests.workflows.conftest import Bench
from tests.workflows.production import production_workers
from workflows.messages import WorkspaceInput
from workflows.state import WorkspaceState
from workflows.workspace import WorkspaceWorkflow

ROUNDS: Final = 10
"""A query has to come with one certain workflow task, which one of three does."""
TELL: Final[list[Callable[[], None]]] = []
"""Called once each, when a run is about to end, within its workflow task."""


@workflow.defn(name="Workspace")
class Told(WorkspaceWorkflow):
    """The same, and somebody tells it something at the worst moment."""

    @workflow.init
    def __init__(self, seed: WorkspaceInput) -> None:
        super().__init__(seed)

    @workflow.run
    async def run(self, seed: WorkspaceInput) -> list[str]:
        """As the one that it is made from."""
        return await super().run(seed)

    def _continue_as_new(self, state: WorkspaceState) -> None:
        if TELL:
            TELL.pop()()
        super()._continue_as_new(state)


@asynccontextmanager
async def asked(bench: Bench, at_once: int) -> AsyncIterator[None]:
    """So many ask for the state all the time."""

    async def ask() -> None:
        while True:
            await bench.progress()

    asking = [asyncio.create_task(ask()) for _ in range(at_once)]
    try:
        yield
    finally:
        for one in asking:
            one.cancel()
        ended = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in ended), ended


@pytest.mark.parametrize("asking", [0, 4], ids=["nobody asks", "asked all the time"])
async def test_a_delete_at_the_end_of_a_run_is_carried_out(live: WorkflowEnvironment, asking: int) -> None:
    client = await connect(TemporalSettings(temporal_address=live.client.service_client.config.target_host))
    bench = Bench(env=live, client=client, world=World(), history_limit=20)
    loop = asyncio.get_running_loop()

    def delete() -> None:
        asyncio.run_coroutine_threadsafe(bench.signal(deleting=True), loop).result(PATIENCE_S)

    async with production_workers(client, bench.world, workflows=[Told]):
        for _ in range(ROUNDS):
            bench.name = f"w-{uuid4().hex[:8]}"
            TELL[:] = [delete]
            handle = await bench.signal()
            async with asked(bench, asking), asyncio.timeout(PATIENCE_S):
                assert await handle.result() == []
            assert not TELL and not bench.world.pools and not bench.world.workloads
