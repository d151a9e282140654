"""Two versions of the workers at once, on the real server: Workspaces move over, and back, whatever is under way.

The newer version asks Temporal for more, behind patches (`testing/releases/later.py`). No workflow task may fail, and
nothing may stand still.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from activities.contract import queues, signatures
from deploy.local.services.temporal import dynamic_config
from process.settings import TemporalSettings
from process.temporal import connect
from testing.deadlines import PATIENCE_S
from testing.releases.later import LOOK, LOOKING, NOTE, Later
from testing.releases.later import PATCHES as LATERS
from testing.releases.runs import Run, run_of
from testing.workflow_tasks import faults_of
from tests.fakes.world import World
from tests.temporal_servers import dev_server
from tests.workflows.conftest import Bench
from tests.workflows.production import production_workers
from worker.versions import NotCurrent, QueueVersion, kept, take_over, versions_of
from workflows.patches import PATCHES, Patch
from workflows.status import search_attributes
from workflows.workspace import WorkspaceWorkflow


class Installation:
    """One server and one world; versions of the workers come and go."""

    def __init__(self, env: WorkflowEnvironment, client: Client) -> None:
        self.env, self.client, self.world = env, client, World()
        self.benches: list[Bench] = []

    @asynccontextmanager
    async def version(
        self, build: str, code: type = Later, *, begins: bool = False
    ) -> AsyncIterator[Sequence[QueueVersion]]:
        """Workers of one version that poll; nothing is handed to them yet."""
        later = [Patch(one, guards="more commands", until="never", begins=begins) for one in LATERS]
        versions = {queue: QueueVersion(queue, build) for queue in queues.ALL}
        async with production_workers(
            self.client, self.world, workflows=[code], versions=versions, patches=[*PATCHES, *later]
        ):
            yield list(versions.values())

    async def workspace(self) -> Bench:
        """One more, begun."""
        bench = Bench(env=self.env, client=self.client, world=self.world)
        self.benches.append(bench)
        await bench.signal()
        return bench

    async def faults(self) -> list[str]:
        """All failed workflow tasks of all runs."""
        found = [await faults_of(self.client, bench.handle.id) for bench in self.benches if bench.handle]
        return [fault for each in found for fault in each]


async def present_run(bench: Bench) -> Run:
    assert bench.handle is not None
    return run_of((await bench.client.get_workflow_handle(bench.handle.id).fetch_history()).events)


async def version_of(bench: Bench) -> str:
    """Of the workers that carried out the workflow's last task."""
    assert bench.handle is not None
    described = await bench.client.get_workflow_handle(bench.handle.id).describe()
    return described.raw_description.workflow_execution_info.versioning_info.deployment_version.build_id


async def until_moved(bench: Bench, build: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await version_of(bench) != build:
            await asyncio.sleep(0.1)


@asynccontextmanager
async def installation(*arguments: str) -> AsyncIterator[Installation]:
    """On a server of its own: versions would divert the tasks of unversioned tests."""
    async with dev_server(*dynamic_config(), *arguments, search_attributes=search_attributes.ALL) as env:
        made = Installation(
            env, await connect(TemporalSettings(temporal_address=env.client.service_client.config.target_host))
        )
        yield made


@pytest.fixture
async def installed() -> AsyncIterator[Installation]:
    async with installation() as made:
        yield made


async def test_an_upgrade_and_a_rollback_while_both_run(installed: Installation) -> None:
    async with AsyncExitStack() as old, AsyncExitStack() as new:
        await take_over(installed.client, await old.enter_async_context(installed.version("1")))
        resting = await installed.workspace()
        await resting.settled()
        gate = installed.world.block(signatures.WAIT_FOR_SERVING)
        installed.world.entered.pop(signatures.WAIT_FOR_SERVING.name, None)
        waiting = await installed.workspace()
        await installed.world.entered[signatures.WAIT_FOR_SERVING.name].wait()

        newer = await new.enter_async_context(installed.version("2", begins=True))
        await waiting.signal(resync=True)
        assert await version_of(waiting) == "1", "who polls is not yet current"
        await take_over(installed.client, newer)
        begun_later = await installed.workspace()
        await until_moved(begun_later, "2")
        for bench in (resting, waiting):
            await bench.signal(resync=True)
            await until_moved(bench, "2")
        await old.aclose()  # the wait of `waiting` was with these workers
        gate.set()
        for bench in installed.benches:
            await bench.settled()
        for bench in (begun_later, resting):  # the second has continued as new, and begins as all new runs do
            run = await present_run(bench)
            assert (run.begun[LOOK], (LOOKING, "2") in run.asked) == ("2", True)

        await take_over(installed.client, await old.enter_async_context(installed.version("1")))
        await new.aclose()
        installed.world.generation += 1
        for bench in installed.benches:
            await bench.signal()
            await until_moved(bench, "1")
            await bench.settled()
        for bench in installed.benches:
            assert await bench.delete() == []
        assert await installed.faults() == []


async def test_a_pass_under_way_keeps_after_a_rollback_what_the_newer_version_has_begun_in_it(
    installed: Installation,
) -> None:
    async with AsyncExitStack() as old, AsyncExitStack() as new:
        await take_over(installed.client, await old.enter_async_context(installed.version("1")))
        gate = installed.world.block(signatures.WAIT_FOR_SERVING)
        bench = await installed.workspace()
        assert bench.handle is not None
        await installed.world.entered[signatures.WAIT_FOR_SERVING.name].wait()
        await take_over(installed.client, await new.enter_async_context(installed.version("2", begins=True)))
        await old.aclose()
        for build, workers in (("2", new), ("1", old)):
            if workers is old:
                await take_over(installed.client, await old.enter_async_context(installed.version("1")))
                await new.aclose()
            await bench.handle.execute_update(WorkspaceWorkflow.pause)
            await bench.handle.execute_update(WorkspaceWorkflow.resume)
            await until_moved(bench, build)
        gate.set()
        await bench.settled()
        run = await present_run(bench)
        assert (run.builds, run.begun, run.faults) == (["1", "2", "1"], {NOTE: "2"}, [])


async def test_workers_take_over_from_a_version_that_has_none_any_more(installed: Installation) -> None:
    async with installed.version("2") as newer:
        await take_over(installed.client, newer)
        bench = await installed.workspace()
        await bench.settled()
    async with installed.version("1") as older, kept(installed.client, older, look_s=0.2, silent_s=0.1):
        await bench.edit()
        await bench.settled()
        assert await version_of(bench) == "1"
        assert await bench.delete() == []
    assert await installed.faults() == []


async def test_a_version_with_workers_is_left_alone(installed: Installation) -> None:
    async with installed.version("2") as newer, installed.version("1") as older:
        await take_over(installed.client, newer)
        async with kept(installed.client, older, look_s=0.1):
            bench = await installed.workspace()
            await bench.settled()
            assert await bench.delete() == []
        assert await version_of(bench) == "2"


async def test_code_that_does_not_know_a_patch_waits_for_code_that_does(installed: Installation) -> None:
    async with installed.version("2", begins=True) as newer:
        await take_over(installed.client, newer)
        bench = await installed.workspace()
        await bench.settled()
    async with installed.version("0", WorkspaceWorkflow) as without:
        await take_over(installed.client, without)
        await bench.edit()
        async with asyncio.timeout(PATIENCE_S):
            while not await installed.faults():
                await asyncio.sleep(0.1)
    async with installed.version("1") as knowing:
        await take_over(installed.client, knowing)
        await bench.settled()
        assert await bench.delete() == []


async def test_unversioned_workers_take_over_and_are_taken_over(installed: Installation) -> None:
    async with installed.version("1") as versioned:
        await take_over(installed.client, versioned)
        bench = await installed.workspace()
        await bench.settled()
    async with installed.version("") as unversioned:
        await take_over(installed.client, unversioned)
        await bench.edit()
        await bench.settled()
        assert await version_of(bench) == ""
        async with installed.version("1") as versioned:
            await take_over(installed.client, versioned)
            await bench.edit()
            await bench.settled()
            await until_moved(bench, "1")
    assert await installed.faults() == []


async def test_a_version_whose_workers_do_not_poll_does_not_take_over(installed: Installation) -> None:
    with pytest.raises(NotCurrent, match="version 9 does not get queue waits: no Worker Deployment found"):
        await take_over(installed.client, [QueueVersion(queues.WAITS, "9")], within_s=1.0)


async def test_a_server_without_versions_is_told_once_and_work_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async with installation("--dynamic-config-value", "system.enableDeploymentVersions=false") as installed:
        with caplog.at_level(logging.WARNING):
            assert await versions_of(installed.client, queues.ALL, "1") == []
        assert "workers go on without versions (Worker Deployment Versions are disabled" in caplog.text
        caplog.clear()
        assert await versions_of(installed.client, queues.ALL, "") == []
        assert caplog.text == ""
        async with installed.version(""):
            bench = await installed.workspace()
            await bench.settled()
            assert await bench.delete() == []
