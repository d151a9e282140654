"""Applies, edits, deletes and follows Workspaces of a stack, and queries the state of their workflows.

It goes through the API server with the owner's rights, as a user does. Every wait has a deadline; its error has the
last state seen.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from activities.clients.kubernetes import REQUEST_ERRORS, Cluster, Object
from activities.clients.watch import observe
from api import labels, names
from deploy.local.layout import Layout
from process.settings import TemporalSettings
from process.temporal import connect
from testing.deadlines import PATIENCE_S
from testing.workflow_tasks import may_be_asked_again
from workflows.state import WorkspaceState
from workflows.workspace import WorkspaceWorkflow

NAMESPACE: Final = "default"
INSTANCE_TYPE: Final = "Standard_NC24ads_A100_v4"
PRESET: Final = "smollm2-135m-instruct"
LOOK_S: Final = 0.2
AT_ONCE: Final = 50

Condition = Callable[[Object], bool]


def workspace(name: str, *, preset: str = PRESET, instance_type: str = INSTANCE_TYPE, replicas: int = 1) -> Object:
    """Returns a Workspace that serves a preset."""
    return {
        "apiVersion": labels.V1BETA1,
        "kind": labels.KIND,
        "metadata": {"name": name, "namespace": NAMESPACE, "annotations": {labels.REPLICAS: str(replicas)}},
        "resource": {
            "instanceType": instance_type,
            "labelSelector": {"matchLabels": {"apps": name}},
        },
        "inference": {"preset": {"name": preset}},
    }


class Workspaces:
    """The Workspaces of one stack."""

    def __init__(self, cluster: Cluster, client: Client) -> None:
        self.cluster = cluster
        self.client = client

    async def create(self, *bodies: Object) -> dict[str, str]:
        """Creates all at once; returns their uids by name."""
        made = await self._together(self.cluster.create("Workspace", body) for body in bodies)
        return {found["metadata"]["name"]: found["metadata"]["uid"] for found in made}

    async def delete(self, *wanted: str) -> None:
        """Requests the deletion; does not wait for it."""
        await self._together(self.cluster.delete("Workspace", name, NAMESPACE) for name in wanted)

    async def delete_all(self) -> None:
        """Deletes what is there and waits until it is gone. Raises TimeoutError."""
        items, _ = await self.cluster.list_all("Workspace")
        names = [item["metadata"]["name"] for item in items]
        await self.delete(*names)
        await self.until_gone(*names)

    @staticmethod
    async def _together(requests: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
        """Limits concurrency: enough to keep the API server busy, and no request waits until its own deadline."""
        room = asyncio.Semaphore(AT_ONCE)

        async def one(request: Coroutine[Any, Any, Any]) -> Any:
            async with room:
                return await request

        return await asyncio.gather(*map(one, requests))

    async def get(self, name: str) -> Object | None:
        return await self.cluster.get("Workspace", name, NAMESPACE)

    async def until(self, wanted: Collection[str], met: Condition, within_s: float = PATIENCE_S) -> dict[str, Object]:
        """Waits until each meets the condition; returns them. Raises TimeoutError with the statuses of the others."""

        def missing(found: dict[str, Object]) -> list[str]:
            return [name for name in wanted if name not in found or not met(found[name])]

        return await self._follow(wanted, missing, within_s, "not as wanted")

    async def until_ready(self, *wanted: str, within_s: float = PATIENCE_S) -> dict[str, Object]:
        return await self.until(wanted, is_ready, within_s)

    async def until_gone(self, *wanted: str, within_s: float = PATIENCE_S) -> None:
        """Waits until no Workspace of these names exists. Raises TimeoutError."""
        await self._follow(wanted, list, within_s, "still there")

    async def _follow(
        self, wanted: Collection[str], missing: Callable[[dict[str, Object]], list[str]], within_s: float, wrong: str
    ) -> dict[str, Object]:
        """Watches, because polling costs the API server more than what is measured and tested."""
        deadline = datetime.now(UTC) + timedelta(seconds=within_s)
        found: dict[str, Object] = {}
        while datetime.now(UTC) < deadline:
            try:
                async for seen in observe(self.cluster, "Workspace", NAMESPACE, selector="", until=deadline):
                    found = {name: seen[name] for name in wanted if name in seen}
                    if not missing(found):
                        return found
            except REQUEST_ERRORS:  # the API server may be the killed process
                await asyncio.sleep(LOOK_S)
        told = {name: standing(found.get(name)) for name in missing(found)}
        raise TimeoutError(f"after {within_s:g} s these are {wrong}: {told}")

    async def until_running(self, name: str, activity: str, within_s: float = PATIENCE_S) -> None:
        """Waits until a worker runs this activity of the Workspace's workflow. Raises TimeoutError."""
        deadline = time.monotonic() + within_s
        seen: set[str] = set()
        while activity not in seen:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name}: no worker carries out {activity} after {within_s:g} s, only {seen}")
            await asyncio.sleep(LOOK_S / 4)
            seen = await self.running_activities(name)

    async def running_activities(self, name: str) -> set[str]:
        """Returns the activities of the Workspace's workflow that a worker has started."""
        return {activity for activity, taken in (await self.pending_activities(name)).items() if taken}

    async def pending_activities(self, name: str) -> dict[str, bool]:
        """Returns the workflow's pending activities, and whether a worker has started each; {} without a workflow."""
        try:
            described = await self.handle(name).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return {}
            raise
        started = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
        pending = described.raw_description.pending_activities
        return {one.activity_type.name: one.state == started for one in pending}

    async def progress(self, name: str) -> WorkspaceState:
        """Returns the workflow's own state; asks until it answers. Raises RPCError without one, or after PATIENCE_S."""
        ends = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await self.handle(name).query(WorkspaceWorkflow.progress)
            except RPCError as error:
                if not may_be_asked_again(error) or time.monotonic() > ends:
                    raise
            await asyncio.sleep(LOOK_S)

    def handle(self, name: str) -> WorkflowHandle[WorkspaceWorkflow, list[str]]:
        return self.client.get_workflow_handle_for(WorkspaceWorkflow.run, names.workflow_id(NAMESPACE, name))


@asynccontextmanager
async def connected(layout: Layout) -> AsyncIterator[Workspaces]:
    """Yields clients of the stack's API server and Temporal."""
    cluster = await Cluster.connect(str(layout.admin_kubeconfig))
    try:
        settings = TemporalSettings(temporal_address=layout.temporal_address, temporal_envconfig=False)
        yield Workspaces(cluster, await connect(settings))
    finally:
        await cluster.close()


def status_of(found: Object) -> dict[str, Any]:
    return dict(found.get("status") or {})


def is_ready(found: Object) -> bool:
    """The newest generation has phase Ready, and KAITO's condition agrees."""
    status = status_of(found)
    newest = status.get("observedGeneration") == found["metadata"]["generation"]
    return newest and status.get("phase") == "Ready" and condition(found, "WorkspaceSucceeded")["status"] == "True"


def is_failed(found: Object) -> bool:
    return status_of(found).get("phase") == "Failed"


def at_step(step: str) -> Condition:
    """Returns the condition that the status names this step."""
    return lambda found: status_of(found).get("step") == step


def condition(found: Object, type_: str) -> dict[str, Any]:
    """Returns the condition of that type; an empty one if there is none."""
    conditions = status_of(found).get("conditions") or []
    return next((one for one in conditions if one["type"] == type_), {"status": "", "reason": "", "message": ""})


def standing(found: Object | None) -> str:
    """Returns phase, step, reason and message in one line, for test failures."""
    if found is None:
        return "not there"
    status = status_of(found)
    return " / ".join(str(status.get(key, "-")) for key in ("phase", "step", "reason", "message"))
