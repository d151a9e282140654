"""Credentials change while a worker works: no restart, and no workflow notices."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from activities.contract import queues
from process.connection.rotation import renewing
from process.settings import TemporalSettings
from process.temporal import connect
from testing.deadlines import PATIENCE_S
from testing.faults.temporal_authority import Authority
from testing.faults.temporal_proxy import TemporalProxy
from tests.integration.temporal.conftest import Mounted
from worker.registration import Registration, worker_for

QUEUE: Final = queues.WAITS
EVERY_S: Final = 0.2
PATIENCE: Final = timedelta(seconds=PATIENCE_S)


@activity.defn
async def double(number: int) -> int:
    return 2 * number


@workflow.defn
class Doubling:
    """Goes on when it is told to, so that credentials can change in the middle."""

    def __init__(self) -> None:
        self._go = False

    @workflow.run
    async def run(self, number: int) -> int:
        number = await workflow.execute_activity(double, number, start_to_close_timeout=PATIENCE)
        await workflow.wait_condition(lambda: self._go)
        return await workflow.execute_activity(double, number, start_to_close_timeout=PATIENCE)

    @workflow.signal
    def go(self) -> None:
        self._go = True

    @workflow.query
    def waits(self) -> bool:
        return not self._go


@asynccontextmanager
async def working(settings: TemporalSettings) -> AsyncIterator[Client]:
    """A worker as a process has it, and its client, whose credentials are followed."""
    client = await connect(settings)
    registration = Registration(QUEUE, [double], lambda error: None, [Doubling])
    async with worker_for(client, registration) as worker, renewing(client, [worker], EVERY_S):
        yield client


async def begin(client: Client, number: int) -> WorkflowHandle[Doubling, int]:
    return await client.start_workflow(Doubling.run, number, id=f"doubling-{uuid4().hex[:8]}", task_queue=QUEUE)


async def finished(handle: WorkflowHandle[Doubling, int]) -> int:
    """Tells the workflow to go on."""
    await handle.signal(Doubling.go)
    async with asyncio.timeout(PATIENCE_S):
        return await handle.result()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.05)


async def test_new_certificates_of_server_and_client_are_used_by_a_worker_that_goes_on(
    server: WorkflowEnvironment, proxy: TemporalProxy, settings: TemporalSettings, mounted: Mounted
) -> None:
    old, new = Authority.made(), Authority.made()
    mounted.write(ca=old.ca.certificate, client=old.client)
    await proxy.listen(old.tls)
    async with working(settings) as client:
        assert await finished(await begin(client, 1)) == 4
        on_the_way = await begin(client, 2)
        await proxy.listen(new.tls)  # neither trusts the other any more
        with pytest.raises(RPCError):
            await client.count_workflows(rpc_timeout=timedelta(seconds=3))
        mounted.write(ca=new.ca.certificate, client=new.client)
        # Told over the server itself: only the worker's own connection is in question.
        assert await finished(server.client.get_workflow_handle_for(Doubling.run, on_the_way.id)) == 8
        assert await finished(await begin(client, 3)) == 12


async def test_certificates_that_the_server_refuses_are_told_and_the_old_ones_stay(
    proxy: TemporalProxy, settings: TemporalSettings, mounted: Mounted, caplog: pytest.LogCaptureFixture
) -> None:
    good, foreign, newer = Authority.made(), Authority.made(), Authority.made()
    mounted.write(ca=good.ca.certificate, client=good.client)
    await proxy.listen(good.tls)
    async with working(settings) as client:
        mounted.write(ca=good.ca.certificate, client=foreign.client)
        await until(lambda: "refuses the client certificate" in caplog.text)
        mounted.folder.joinpath("tls.crt").unlink()
        await until(lambda: "tls.crt cannot be read" in caplog.text)
        assert await finished(await begin(client, 1)) == 4
        mounted.write(ca=newer.ca.certificate, client=newer.client)
        await until(lambda: "signed by another CA" in caplog.text)
        await proxy.listen(newer.tls)
        assert await finished(await begin_when_possible(client, 2)) == 8
    assert caplog.text.count("signed by another CA") == 1, "the same is told once"


async def begin_when_possible(client: Client, number: int) -> WorkflowHandle[Doubling, int]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await begin(client, number)
            except RPCError:
                await asyncio.sleep(EVERY_S)


async def test_a_new_api_key_is_used_before_the_old_one_ends(
    proxy: TemporalProxy, settings: TemporalSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "key"
    file.write_text("key-of-march\n")
    proxy.keys = ("key-of-march", "key-of-june")
    keyed = settings.model_copy(update={"temporal_api_key_file": file})
    with caplog.at_level(logging.INFO), pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPORAL_TLS", "false")  # TLS is another test's
        async with working(keyed) as client:
            on_the_way = await begin(client, 1)
            file.write_text("key-of-june\n")
            await until(lambda: "in use: api_key" in caplog.text)
            proxy.keys = ("key-of-june",)
            assert await finished(on_the_way) == 4
            assert await finished(await begin(client, 2)) == 8
    assert proxy.answered["key-of-march"] and proxy.answered["key-of-june"]
    assert "key-of" not in caplog.text


async def test_a_revoked_api_key_is_replaced_without_a_restart(
    proxy: TemporalProxy, settings: TemporalSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text("leaked")
    proxy.keys = ("leaked",)
    monkeypatch.setenv("TEMPORAL_TLS", "false")
    async with working(settings.model_copy(update={"temporal_api_key_file": file})) as client:
        on_the_way = await begin(client, 1)
        proxy.keys = ("fresh",)
        with pytest.raises(RPCError):
            await client.count_workflows(rpc_timeout=timedelta(seconds=3))
        file.write_text("fresh")
        await begin_when_possible(client, 2)
        assert await finished(on_the_way) == 4
