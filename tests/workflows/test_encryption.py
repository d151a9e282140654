"""A life whose payloads are encrypted, on the real server: what Temporal keeps of it, keys that are exchanged, and one
that lacks."""

import asyncio
import base64
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload, SearchAttributes
from temporalio.client import Client, WorkflowHistory
from temporalio.testing import WorkflowEnvironment

from activities.contract import signatures
from admin.access.identity import Everybody
from admin.app import admin_application
from process.encryption.codec import ENCODING, KEY_ID, UnreadablePayload
from process.settings import TemporalSettings
from process.temporal import connect
from testing.deadlines import PATIENCE_S
from testing.workflow_tasks import faults_of
from tests.fakes.world import World
from tests.workflows.conftest import Bench
from tests.workflows.production import production_workers
from workflows.sweep.schedule import SCHEDULE_ID, ensure_sweep_schedule
from workflows.workspace import WorkspaceWorkflow

OF_THE_SDK: Final = ("data", "patch-data")
"""What the SDK's core writes into markers below any codec: ids, no arguments and no results."""


def line(id: str) -> str:
    """A new key."""
    return f"{id} {base64.b64encode(secrets.token_bytes(32)).decode()}\n"


def payloads(message: Message, path: str = "") -> Iterator[tuple[str, Payload]]:
    """Every payload below a message, with the way there; search attributes are none."""
    if isinstance(message, SearchAttributes):
        return
    if isinstance(message, Payload):
        yield path, message
        return
    for field, value in message.ListFields():
        for name, one in _messages(field, value):
            yield from payloads(one, f"{path}.{name}")


def _messages(field: FieldDescriptor, value: Any) -> Iterator[tuple[str, Message]]:
    if field.message_type is None:
        return
    if field.message_type.GetOptions().map_entry:
        yield from ((f"{field.name}.{key}", one) for key, one in value.items() if isinstance(one, Message))
    elif isinstance(value, Message):
        yield field.name, value
    else:
        yield from ((field.name, one) for one in value)


async def connected(env: WorkflowEnvironment, keys: Path | None) -> Client:
    """As a process connects."""
    address = env.client.service_client.config.target_host
    return await connect(TemporalSettings(temporal_address=address, temporal_payload_keys_file=keys))


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """The file of a mounted Secret, with one key."""
    file = tmp_path / "keys"
    file.write_text(line("march"))
    return file


def bench_of(env: WorkflowEnvironment, client: Client, world: World | None = None) -> Bench:
    return Bench(env=env, client=client, world=world or World())


async def history_of(bench: Bench) -> WorkflowHistory:
    return await bench.client.get_workflow_handle(f"workspace/default/{bench.name}").fetch_history()


async def kept(bench: Bench) -> list[tuple[str, Payload]]:
    """The payloads that the server has of the Workspace's history."""
    found = []
    for event in (await history_of(bench)).events:
        if event.HasField("marker_recorded_event_attributes"):
            for own in OF_THE_SDK:
                event.marker_recorded_event_attributes.details.pop(own, None)
        found += [(f"{event.event_id}{path}", payload) for path, payload in payloads(event)]
    return found


async def keys_of(bench: Bench) -> list[str]:
    """The ids of the keys in the order of the history."""
    return [payload.metadata[KEY_ID].decode() for _, payload in await kept(bench)]


async def test_a_life_is_encrypted(live: WorkflowEnvironment, keys: Path) -> None:
    bench = bench_of(live, await connected(live, keys))
    bench.world.fail_next(signatures.READ_COMPLETIONS, RuntimeError("the model said: SECRET-ANSWER"))
    async with production_workers(bench.client, bench.world):
        await bench.signal()
        await bench.settled()
        assert await bench.delete() == []
    found = await kept(bench)
    assert len(found) > 30
    assert [path for path, payload in found if payload.metadata["encoding"] != ENCODING] == []
    for word in (b"SECRET-ANSWER", b"SkuOffered", b"digest-1"):
        seen = [event.event_id for event in (await history_of(bench)).events if word in event.SerializeToString()]
        assert seen == []
    assert await faults_of(bench.client, f"workspace/default/{bench.name}") == []


async def test_keys_are_exchanged_below_running_processes(live: WorkflowEnvironment, keys: Path) -> None:
    bench = bench_of(live, await connected(live, keys))
    async with production_workers(bench.client, bench.world):
        await bench.signal()
        await bench.settled()
        assert set(await keys_of(bench)) == {"march"}
        keys.write_text(line("june") + keys.read_text())
        async with asyncio.timeout(PATIENCE_S):
            while (await keys_of(bench))[-1] != "june":
                await bench.edit()
                await bench.settled()
        assert await bench.delete() == []
    assert await faults_of(bench.client, f"workspace/default/{bench.name}") == []


async def test_a_key_that_lacks_is_named_and_work_goes_on_with_it(
    live: WorkflowEnvironment, keys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = bench_of(live, await connected(live, keys))
    async with production_workers(bench.client, bench.world):
        await bench.signal()
        await bench.settled()
    march = keys.read_text()
    keys.write_text(line("june"))
    bench.client = await connected(live, keys)
    async with production_workers(bench.client, bench.world):
        bench.world.generation += 1
        await bench.signal()
        async with asyncio.timeout(PATIENCE_S):
            while f"encrypted with key 'march', which is not in {keys}: put its line back" not in caplog.text:
                await asyncio.sleep(0.1)
        keys.write_text(keys.read_text() + march)
        await bench.settled()
        assert await bench.delete() == []
    assert march.split()[1] not in caplog.text


async def test_what_was_not_encrypted_stays_readable(live: WorkflowEnvironment, keys: Path) -> None:
    bench = bench_of(live, await connected(live, None))
    async with production_workers(bench.client, bench.world):
        await bench.signal()
        await bench.settled()
    bench.client = await connected(live, keys)
    async with production_workers(bench.client, bench.world):
        await bench.edit()
        await bench.settled()
        assert await bench.delete() == []
    encodings = [payload.metadata["encoding"] for _, payload in await kept(bench)]
    assert encodings[0] == b"json/plain" and encodings[-1] == ENCODING
    assert await faults_of(bench.client, f"workspace/default/{bench.name}") == []


async def test_who_has_no_keys_is_told_where_they_are(live: WorkflowEnvironment, keys: Path) -> None:
    bench = bench_of(live, await connected(live, keys))
    async with production_workers(bench.client, bench.world):
        await bench.signal()
        await bench.settled()
        client = await connected(live, None)
        without = client.get_workflow_handle(f"workspace/default/{bench.name}")
        with pytest.raises(UnreadablePayload, match="key 'march', and this process has no keys: set MODELYARD_"):
            await without.query(WorkspaceWorkflow.progress)
        transport = httpx.ASGITransport(app=admin_application(client, Everybody(), {"admin"}))
        async with httpx.AsyncClient(transport=transport, base_url="http://admin") as people:
            answer = await people.get(f"/workspaces/default/{bench.name}")
        assert answer.status_code == 503 and "this process has no keys" in answer.json()["detail"]
        await bench.end()


async def test_the_schedule_of_sweeps_needs_no_key_of_the_past(live: WorkflowEnvironment, keys: Path) -> None:
    client = await connected(live, keys)
    handle = client.get_schedule_handle(SCHEDULE_ID)
    try:
        await ensure_sweep_schedule(client)
        await handle.pause(note="by hand")
        keys.write_text(line("june"))
        await ensure_sweep_schedule(await connected(live, keys))
        described = await handle.describe()
        action = described.raw_description.schedule.action.start_workflow
        assert {payload.metadata[KEY_ID] for _, payload in payloads(action)} == {b"june"}
        assert described.schedule.state.paused
    finally:
        await handle.delete()
