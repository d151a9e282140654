"""A crowd that has just come, and few places: who is served first."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from activities.contract import queues
from activities.contract import signatures as s
from activities.contract.payloads import Observed, StatusPatch
from activities.contract.signatures import Signature
from api import names
from testing.deadlines import PATIENCE_S
from tests.fakes.world import World
from tests.workflows.conftest import activity_name, progress_of, workers
from watcher.signals import to_temporal
from workflows.messages import Changed
from workflows.workspace import WorkspaceWorkflow

CROWD: Final = 60
PLACES: Final = 2
"""Of a worker, for each queue."""
HELD_S: Final = 1.0
"""How long each activity of the crowd, waits apart, has its place: much longer than a workflow task takes on a busy
machine."""
LOOK_S: Final = 0.1

Handle = WorkflowHandle[WorkspaceWorkflow, list[str]]


@dataclass
class Town:
    """Many worlds, one for each workflow. `begun`: the crowd's Workspaces whose planning has begun; `gate`: before it
    is opened the crowd's activities keep their places."""

    env: WorkflowEnvironment
    worlds: dict[str, World] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def bodies(self) -> list[Any]:
        """One body for each signature, which acts on the world of its workflow."""
        return [self._body(signature) for signature in s.ALL]

    def _body(self, signature: Signature[Any, Any]) -> Any:
        @activity.defn(name=signature.name)
        async def body(argument: signature.argument) -> signature.result:  # type: ignore[name-defined]  # known when it runs
            info = activity.info()
            workflow_id = info.workflow_id or ""
            if "/crowd-" in workflow_id and signature.queue != queues.WAITS and not info.is_local:
                if signature is s.BUILD_PLAN:
                    self.begun.append(workflow_id)
                await self.gate.wait()
                await asyncio.sleep(HELD_S)
            return await self._usual(workflow_id, signature)(argument)

        return body

    def _usual(self, workflow_id: str, signature: Signature[Any, Any]) -> Any:
        return next(one for one in self.worlds[workflow_id].activities() if activity_name(one) == signature.name)

    async def write(self, patch: StatusPatch) -> Observed:
        """Writes a status into the world that it belongs to."""
        workflow_id = names.workflow_id(patch.workspace.namespace, patch.workspace.name)
        written: Observed = await self._usual(workflow_id, s.PATCH_STATUS)(patch)
        return written

    async def says(self, namespace: str, name: str, *, deleting: bool = False, edit: bool = False) -> Handle:
        """Something happens to a Workspace, and the watcher says so."""
        key = names.WorkspaceKey(namespace, name)
        world = self.worlds.setdefault(names.workflow_id(*key), World())
        world.uid, world.deleting = f"uid-{name}", deleting
        if edit:
            world.generation, world.digest = world.generation + 1, "edited"
        message = Changed(uid=world.uid, generation=world.generation, deleting=deleting)
        await to_temporal(self.env.client)(key, message)
        return self.env.client.get_workflow_handle_for(WorkspaceWorkflow.run, names.workflow_id(*key))

    async def ready(self, handle: Handle) -> None:
        """Waits until the newest generation is served."""
        wanted = self.worlds[handle.id].generation
        async with asyncio.timeout(PATIENCE_S):
            while True:
                state = await progress_of(handle)
                if state.spec.observed == wanted and state.status.settled == "ready":
                    return
                await asyncio.sleep(LOOK_S)

    async def queued(self, handle: Handle) -> None:
        """Waits until an activity of the workflow has a place, or waits for one."""
        async with asyncio.timeout(PATIENCE_S):
            while not (await handle.describe()).raw_description.pending_activities:
                await asyncio.sleep(LOOK_S)


@asynccontextmanager
async def town(env: WorkflowEnvironment) -> AsyncIterator[Town]:
    """A town whose workers have few places. What still runs at its end is terminated."""
    made = Town(env)
    async with workers(env, made.bodies(), 2 * CROWD, write=made.write, places=PLACES):
        yield made
        made.gate.set()
        for workflow_id, world in made.worlds.items():
            if world.exists:
                await env.client.get_workflow_handle(workflow_id).terminate("the test has ended")


async def test_a_crowd_holds_up_no_delete_no_edit_and_no_other_namespace(live: WorkflowEnvironment) -> None:
    async with town(live) as here:
        deleted, edited = [await here.says("busy", name) for name in ("deleted", "edited")]
        await asyncio.gather(here.ready(deleted), here.ready(edited))
        crowd = [await here.says("busy", f"crowd-{number}") for number in range(CROWD)]
        await asyncio.gather(*(here.queued(one) for one in crowd))
        stranger = await here.says("quiet", "stranger")
        await here.says("busy", "edited", edit=True)
        await here.says("busy", "deleted", deleting=True)
        await asyncio.gather(here.queued(stranger), here.queued(edited))
        here.gate.set()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(here.ready(stranger), here.ready(edited), deleted.result())
        # A third of the crowd on a machine at rest; without priority or without fairness all of it.
        assert len(here.begun) < CROWD * 3 / 4
