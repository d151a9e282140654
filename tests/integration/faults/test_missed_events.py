"""Events that nobody hears: the watch's history is gone, or the watcher was not there. Nothing is lost, only later."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from kubernetes.aio.client import ApiClient
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from activities.clients.watch import EventType, follow
from testing.deadlines import PATIENCE_S
from testing.faults.processes import frozen, kill, restart
from testing.leftovers import settled_leftovers
from testing.stack import Stack
from testing.workspaces import Workspaces, workspace


class Interrupted(Cluster):
    """Its watches end after a second, as the server may end them, and the next begins only when it is let on."""

    def __init__(self, api: ApiClient) -> None:
        super().__init__(api)
        self.may_go_on = asyncio.Event()
        self.ended = asyncio.Event()
        self.expired = 0

    async def watch(
        self, kind: str, namespace: str | None = None, *, selector: str = "", since: str, seconds: int
    ) -> AsyncIterator[tuple[str, Object]]:
        if self.ended.is_set():
            await self.may_go_on.wait()
        try:
            async for event in super().watch(kind, namespace, selector=selector, since=since, seconds=1):
                yield event
        except ApiException as error:
            self.expired += error.status == 410
            raise
        self.ended.set()


async def test_an_expired_watch_lists_again_and_misses_nothing(stack: Stack, workspaces: Workspaces) -> None:
    cluster = Interrupted(workspaces.cluster.api)
    seen: list[tuple[EventType, str]] = []

    async def sink(how: EventType, item: Object) -> None:
        seen.append((how, item["metadata"]["name"]))

    await workspaces.cluster.create("ConfigMap", config_map("deleted-unseen"))
    following = asyncio.create_task(follow(cluster, "ConfigMap", sink, selector="test=expired"))
    async with asyncio.timeout(PATIENCE_S):
        await cluster.ended.wait()
    await workspaces.cluster.delete("ConfigMap", "deleted-unseen", "default")
    await workspaces.cluster.create("ConfigMap", config_map("created-unseen"))
    await forget_history(stack, workspaces)
    cluster.may_go_on.set()
    async with asyncio.timeout(PATIENCE_S):
        while {(EventType.GONE, "deleted-unseen"), (EventType.LISTED, "created-unseen")} - set(seen):
            await asyncio.sleep(0.1)
    following.cancel()
    assert cluster.expired == 1
    await workspaces.cluster.delete("ConfigMap", "created-unseen", "default")


@pytest.mark.parametrize("absence", ["killed", "cut off without history"])
async def test_what_happened_while_the_watcher_was_away_is_done(
    stack: Stack, workspaces: Workspaces, absence: str
) -> None:
    await workspaces.create(workspace("deleted-meanwhile"))
    await workspaces.until_ready("deleted-meanwhile")
    if absence == "killed":
        await asyncio.to_thread(kill, stack, "watcher")
        await _change_things(workspaces)
        await asyncio.to_thread(stack.start_again, "watcher")
    else:
        async with frozen(stack, "watcher"):
            await _change_things(workspaces)
            await forget_history(stack, workspaces)
    await workspaces.until_ready("created-meanwhile")
    await workspaces.until_gone("deleted-meanwhile")
    await workspaces.delete("created-meanwhile")
    await workspaces.until_gone("created-meanwhile")
    assert await settled_leftovers(stack, workspaces) == {}


async def forget_history(stack: Stack, workspaces: Workspaces) -> None:
    """etcd is compacted to its newest revision, and the API server starts anew without what it had in memory."""
    _, version = await workspaces.cluster.list_all("ConfigMap")
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
        etcd = f"http://127.0.0.1:{stack.layout.ports.etcd}/v3/kv/compaction"
        (await client.post(etcd, json={"revision": version, "physical": True})).raise_for_status()
    await restart(stack, "kube-apiserver")


def config_map(name: str) -> Object:
    metadata = {"name": name, "namespace": "default", "labels": {"test": "expired"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


async def _change_things(workspaces: Workspaces) -> None:
    await workspaces.delete("deleted-meanwhile")
    await workspaces.create(workspace("created-meanwhile"))
