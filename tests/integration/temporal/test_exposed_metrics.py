"""What a worker really exposes at /metrics has the SDK's series that alerts and dashboards read."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from process.health import Health
from process.settings import TemporalSettings
from process.temporal import connect, runtime_with_metrics
from testing.deadlines import PATIENCE_S
from testing.prometheus.exposed import of_others, of_text

QUEUE = "exposing"


@activity.defn
async def anything() -> None:
    """Ends at once."""


@workflow.defn
class Different:
    """Does something else at each replay."""

    runs = 0

    @workflow.run
    async def run(self) -> None:
        Different.runs += 1
        if Different.runs % 2:
            await workflow.execute_activity(anything, start_to_close_timeout=timedelta(seconds=PATIENCE_S))
        else:
            await workflow.sleep(PATIENCE_S)


@workflow.defn
class Failing:
    """Fails its task, as a bug of ours does."""

    @workflow.run
    async def run(self) -> None:
        raise RuntimeError("a bug")


async def text_of(port: int) -> str:
    _, _, body = await Health(lambda: True, port).answer("GET", "/metrics")
    return body.decode()


async def provoke(client: Client) -> None:
    """Begins what fails, and asks for what is not there; a long poll among it."""
    await client.start_workflow(Different.run, id="different", task_queue=QUEUE)
    await client.start_workflow(Failing.run, id="failing", task_queue=QUEUE)
    missing = client.get_workflow_handle("missing")
    for asking in (missing.describe(), missing.result()):
        try:
            await asking
        except RPCError:
            continue


async def test_a_worker_exposes_what_is_read(server: WorkflowEnvironment) -> None:
    runtime, port = runtime_with_metrics()
    address = server.client.service_client.config.target_host
    client = await connect(TemporalSettings(temporal_address=address, temporal_envconfig=False), runtime=runtime)
    wanted = of_others("temporal")
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[Different, Failing],
        activities=[anything],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=0,  # every task is a replay
    ):
        await provoke(client)
        text = ""
        async with asyncio.timeout(PATIENCE_S):
            while 'failure_reason="NonDeterminismError"' not in text or "RespondWorkflowTaskFailed" not in text:
                await asyncio.sleep(0.2)
                text = await text_of(port)
    exposed = of_text(text)
    assert {name: labels - exposed.get(name, frozenset()) for name, labels in wanted.items()} == dict.fromkeys(
        wanted, frozenset()
    )
    assert 'worker_type="ActivityWorker"' in text and 'worker_type="WorkflowWorker"' in text
    assert 'status_code="NOT_FOUND"' in text
