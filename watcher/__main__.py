"""The watcher process: converts Kubernetes events to Temporal signals.

Connects the watches to the event filters (`predicates.py`) and to the outbox (`signals.py`). Safe to restart at any
time and to run twice.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from functools import partial
from typing import Final

from prometheus_client import Counter, Gauge
from temporalio.client import Client

from activities.clients.kubernetes import Cluster, Object
from activities.clients.watch import EventType, follow
from api import labels
from api.names import WorkspaceKey
from process.connection.rotation import renewing
from process.connection.search_attributes import are_searchable
from process.endpoint import endpoint
from process.run import run
from process.settings import ProcessSettings
from process.temporal import connect, runtime_with_metrics
from watcher.leader_election import lead
from watcher.predicates import OwnedMemory, WorkspaceMemory, owners_of, trim, trim_workspace
from watcher.signals import Signaller, to_temporal
from workflows.messages import Changed

OWNED: Final[Mapping[str, str]] = {"Deployment": labels.WORKSPACE_UID, "Node": ""}
"""Watched kinds, with the label selector for objects of a Workspace. All Nodes are watched: a reservation's label key
contains the Workspace's UID, and selectors cannot match key prefixes."""

EVENTS = Counter("modelyard_watcher_events", "Events delivered by the watches", ["kind"])
LEADING = Gauge("modelyard_watcher_leading", "1 while this process holds the Lease")


class Watching:
    """The work of the leader."""

    def __init__(self, cluster: Cluster, client: Client, *, searchable: bool) -> None:
        self._signaller = Signaller(to_temporal(client, searchable=searchable))
        self._workspaces = WorkspaceMemory()
        self._owned = OwnedMemory()
        self._cluster = cluster

    async def run(self) -> None:
        """Runs all watches until cancelled; the first failure ends all."""
        LEADING.set(1)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(follow(self._cluster, "Workspace", self._workspace_seen, keep=trim_workspace))
                for kind, selector in OWNED.items():
                    group.create_task(follow(self._cluster, kind, self._owned_seen, selector=selector, keep=trim))
        finally:
            LEADING.set(0)

    async def _workspace_seen(self, seen: EventType, item: Object) -> None:
        EVENTS.labels("Workspace").inc()
        message = self._workspaces.change_of(seen, item)
        if message:
            metadata = item["metadata"]
            self._signaller.enqueue(WorkspaceKey(metadata["namespace"], metadata["name"]), message)

    async def _owned_seen(self, seen: EventType, item: Object) -> None:
        EVENTS.labels("owned").inc()
        if self._owned.became_unhealthy(seen, item):
            for key, uid in owners_of(item, self._workspaces):
                self._signaller.enqueue(key, Changed(uid=uid, generation=0, resync=True))


async def work(settings: ProcessSettings, stop: asyncio.Event) -> None:
    """Watches until `stop` is set. Raises unrecoverable errors, so that the process is restarted."""
    runtime, sdk_port = runtime_with_metrics()
    client = await connect(settings, runtime=runtime)
    searchable = await are_searchable(client)
    cluster = await Cluster.connect(settings.kubeconfig)
    identity = f"{socket.gethostname()}-{os.getpid()}"
    try:
        async with endpoint(settings.metrics_address, lambda: True, sdk_port), renewing(client):
            watching = Watching(cluster, client, searchable=searchable)
            leading = asyncio.create_task(lead(cluster, settings.system_namespace, identity, watching.run))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait([leading, stopping], return_when=asyncio.FIRST_COMPLETED)
            leading.cancel()
            stopping.cancel()
            await asyncio.gather(leading, return_exceptions=stop.is_set())
    finally:
        await cluster.close()


def main() -> None:
    """Entry point of `python -m watcher`."""
    run(partial(work, ProcessSettings()))


if __name__ == "__main__":
    main()
