"""Keeps one watcher active: leader election over a Lease, with the kubernetes client's implementation.

Two active watchers would be harmless, as their messages are idempotent; one avoids duplicate work. The election raises
when the API server is unavailable, so it is restarted until the process stops.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

from activities.clients.kubernetes import Cluster

log = logging.getLogger(__name__)

LEASE: Final = "modelyard-watcher"
LEASE_S: Final = 15
RENEW_DEADLINE_S: Final = 10
RETRY_S: Final = 2
PAUSE_S: Final = 1.0
ALREADY_THERE: Final = 409
BUSY: Final = (408, 429)


async def lead(cluster: Cluster, namespace: str, identity: str, work: Callable[[], Awaitable[None]]) -> None:
    """Runs `work` whenever this process holds the Lease, and cancels it when the Lease is lost. Runs until cancelled.

    An exception of `work` ends the leadership and is raised here, as is an API error that refuses the Lease.
    """
    there = False
    while True:
        there = there or await _ensure_lease(cluster, namespace)
        if there:
            await _hold(cluster, namespace, identity, work)
        await asyncio.sleep(PAUSE_S)


async def _hold(cluster: Cluster, namespace: str, identity: str, work: Callable[[], Awaitable[None]]) -> None:
    """Runs one election until it is interrupted."""
    leadership = _Leadership(work)
    lock = LeaseLock(LEASE, namespace, identity, cluster.api)
    config = Config(
        lock,
        lease_duration=LEASE_S,
        renew_deadline=RENEW_DEADLINE_S,
        retry_period=RETRY_S,
        onstarted_leading=leadership.begin,
        onstopped_leading=leadership.end,
    )
    election = asyncio.create_task(LeaderElection(config).run())
    try:
        await asyncio.wait([election, leadership.failed], return_when=asyncio.FIRST_COMPLETED)
        if leadership.failed.done():
            leadership.failed.result()
        await election
    except (aiohttp.ClientError, TimeoutError) as error:
        log.warning("the election was interrupted: %r", error)
    finally:
        election.cancel()
        await leadership.end()


async def _ensure_lease(cluster: Cluster, namespace: str) -> bool:
    """Creates the Lease if it does not exist. LeaseLock.create of kubernetes 37.0 fails on its arguments.

    Returns False while the API server is unavailable or busy. Raises ApiException if it refuses.
    """
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": LEASE, "namespace": namespace},
    }
    try:
        await cluster.create("Lease", body)
    except ApiException as error:
        if error.status == ALREADY_THERE:
            return True
        if error.status not in BUSY and error.status < 500:
            raise
        log.warning("the Lease could not be created: the API server answered %s %s", error.status, error.reason)
        return False
    except (aiohttp.ClientError, TimeoutError) as error:
        log.warning("the Lease could not be created: %r", error)
        return False
    return True


class _Leadership:
    """The task that runs while this process leads; `failed` carries its exception."""

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._task: asyncio.Task[None] | None = None
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def begin(self) -> None:
        """Called by the election in a task of its own."""
        self._task = asyncio.current_task()
        try:
            await self._work()
        except Exception as error:  # passed to `lead`, which raises it
            if not self.failed.done():
                self.failed.set_exception(error)

    async def end(self) -> None:
        """Cancels the work and waits until it has ended."""
        if self._task and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
