"""A worker process: `python -m worker --queues workspaces,waits,releases` or `--queues cloud`.

The queues it polls determine the rights it needs, and what it imports: a worker of the cloud queue has no kubeconfig,
the others have no cloud credential. A worker drains on SIGTERM; its waits move to another worker at once, with their
heartbeat details.
"""

import argparse
import asyncio
import logging
import os
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Final

from temporalio.client import Client

from activities.contract import queues
from process.connection.rotation import renewing
from process.endpoint import endpoint
from process.memory import keep_for_life
from process.run import run
from process.temporal import connect, runtime_with_metrics
from worker.queue_settings import QueueSettings
from worker.registration import Registration, worker_for
from worker.versions import kept, take_over, versions_of

STOP_LIMIT: Final = timedelta(seconds=28)
"""Shorter than the 30 seconds that Kubernetes gives a pod between SIGTERM and SIGKILL."""


async def work(wanted: list[str], stop: asyncio.Event) -> None:
    """Polls the wanted queues until `stop` is set."""
    settings = QueueSettings()
    async with AsyncExitStack() as stack:
        runtime, sdk_port = runtime_with_metrics()
        client = await connect(settings, runtime=runtime)
        searchable = await _are_searchable(client) if queues.WORKSPACES in wanted else True
        registered = await registrations(wanted, client, stack, searchable=searchable)
        keep_for_life()  # once more, for the modules of these queues
        versions = await versions_of(client, wanted, settings.worker_version if settings.worker_versioning else "")
        by_queue = {version.queue: version for version in versions}
        workers = [worker_for(client, one, by_queue.get(one.queue), settings.worker_capacity) for one in registered]
        for worker in workers:
            await stack.enter_async_context(worker)
        # Before it is ready: a rolling update stops older workers only when these have taken over.
        await take_over(client, versions)
        await stack.enter_async_context(kept(client, versions))
        await stack.enter_async_context(renewing(client, workers))
        if queues.WORKSPACES in wanted:
            from worker.offer_again import offer_again

            offering = asyncio.create_task(offer_again(client, searchable=searchable))
            stack.callback(offering.cancel)
        await stack.enter_async_context(endpoint(settings.metrics_address, lambda: True, sdk_port))
        logging.getLogger(__name__).info("polling %s", ", ".join(wanted))
        await stop.wait()
        asyncio.get_running_loop().call_later(STOP_LIMIT.total_seconds(), _exit_now)
        # Beside each other: in turn, their drains would leave the status writer no time for its last writes.
        await asyncio.gather(*(worker.shutdown() for worker in workers))


async def _are_searchable(client: Client) -> bool:
    # Workflows' attributes stand beside their status, which a worker of the cloud queue has no use for.
    from process.connection.search_attributes import are_searchable

    return await are_searchable(client)


async def registrations(
    wanted: list[str], client: Client, stack: AsyncExitStack, *, searchable: bool
) -> list[Registration]:
    """Returns what the wanted queues run. Imports the clients of no other queue: they are most of a process' memory."""
    found: list[Registration] = []
    if queues.CLOUD in wanted:
        from worker.cloud import cloud_queue

        found.append(await cloud_queue(stack))
    if set(wanted) - {queues.CLOUD}:
        from worker.cluster import cluster_queues
        from worker.settings import WorkerSettings

        found += await cluster_queues(WorkerSettings(), client, stack, searchable=searchable)
    return [one for one in found if one.queue in wanted]


def _exit_now() -> None:
    """Exits although the SDK's shutdown hangs on a poll that never returns; Temporal retries what was not finished."""
    logging.getLogger(__name__).error("the worker did not stop within %s; exiting now", STOP_LIMIT)
    os._exit(os.EX_TEMPFAIL)


def queues_of(text: str) -> list[str]:
    """Parses a comma-separated list. Raises ArgumentTypeError that lists the known queues."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in queues.ALL]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"unknown queue {', '.join(unknown) or '(none)'}: use {', '.join(queues.ALL)}")
    return names


def main() -> None:
    """Entry point of `python -m worker`."""
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument("--queues", type=queues_of, default=list(queues.ALL), help="comma-separated; default: all")
    run(partial(work, parser.parse_args().queues))


if __name__ == "__main__":
    main()
