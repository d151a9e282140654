"""A worker process: `python -m worker --queues workspaces,waits` or `--queues cloud`.

The queues it polls determine the rights it needs: a worker of the cloud queue has no kubeconfig, the others have no
cloud credential. A worker drains on SIGTERM; its waits move to another worker at once, with their heartbeat details.
"""

import argparse
import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Any, Final

from temporalio.client import Client
from temporalio.worker import Interceptor, Worker

from activities.clients import azure as azure_client
from activities.clients.azure import AzureSettings
from activities.clients.kubernetes import Cluster
from activities.clients.registry import Registries
from activities.clients.view.cluster_view import ClusterView
from activities.contract import queues
from activities.contract.policies import HEARTBEAT_EVERY
from activities.manifests.serving import Images
from activities.manifests.tuning import TuningPodSettings
from activities.nodes.aks.provider import AgentPools
from activities.nodes.byo.provider import OwnNodes
from activities.nodes.karpenter.provider import NodeClaims
from activities.nodes.readiness import Nodes
from activities.planning.models import Models
from activities.planning.planner import Planner
from activities.preflight.azure import PreflightChecks
from activities.preflight.cluster import ClusterChecks
from activities.preflight.workload import WITH_ADAPTERS, WorkloadPreflight
from activities.serving.completions import Verification
from activities.serving.workloads import Workloads
from activities.statuses import Statuses
from activities.sweep.nodes import ClusterHoldings
from activities.sweep.workspaces import Populations
from activities.tuning.adapter_verification import Adapters
from activities.tuning.jobs import TuningJobs
from activities.workspaces import Workspaces
from api.pods.registries import RegistryAccess
from process.health import endpoint
from process.run import run
from process.temporal import connect, runtime_with_metrics
from worker.offer_again import offer_again
from worker.settings import WorkerSettings
from worker.status_interceptor import StatusInterceptor, gone_reporter
from workflows.status import search_attributes
from workflows.sweep.schedule import ensure_sweep_schedule
from workflows.sweep.workflow import SweepWorkflow
from workflows.workspace import WorkspaceWorkflow

DRAIN: Final = timedelta(seconds=20)
STOP_LIMIT: Final = timedelta(seconds=28)
"""Shorter than the 30 seconds that Kubernetes gives a pod between SIGTERM and SIGKILL."""
CONCURRENT_WAITS: Final = 2000
"""A wait costs a heartbeat every few seconds; memory is the actual limit."""

Activities = dict[str, list[Callable[..., Any]]]


def cluster_activities(
    settings: WorkerSettings,
    azure: AzureSettings,
    client: Client,
    cluster: Cluster,
    view: ClusterView,
    statuses: Statuses,
) -> Activities:
    """Returns the activities of the queues `workspaces` and `waits`."""
    images = Images(
        runtime=settings.runtime_image,
        fetch=settings.fetch_image,
        data=settings.data_image,
        hf_endpoint=settings.pods_hf_endpoint or settings.hf_endpoint,
        cpu_kv_cache_gib=settings.serve_cpu_kvcache_gib,
        registry=RegistryAccess(plain_http=settings.plain_http_registries, azure=settings.registry_identity),
    )
    own_images = (settings.runtime_image, settings.fetch_image)
    models = Models(cluster, settings.hf_endpoint)
    planner = Planner(
        cluster,
        location=azure.location,
        deadlines=settings.deadlines,
        images=own_images,
        data_image=settings.data_image,
        provider=settings.provider,
        with_cloud=settings.with_cloud,
        read_facts=models.read_facts,
    )
    workspaces, workloads, nodes = Workspaces(cluster), Workloads(view, images), Nodes(view)
    populations = Populations(cluster, client)
    claims, own_nodes = NodeClaims(cluster, node_class=settings.node_class), OwnNodes(view)
    holdings = ClusterHoldings(cluster, provider=settings.provider, with_cloud=settings.with_cloud)
    registries = Registries(settings.plain_http_registries)
    training_images = (settings.fetch_image, settings.data_image, settings.tune_image)
    images_by_kind = {
        "preset": own_images,
        WITH_ADAPTERS: (*own_images, settings.data_image),
        "template": own_images,
        "tuning": training_images,
    }
    preflight = WorkloadPreflight(
        cluster, images_by_kind, registries, settings.tuning_storage_class, settings.registry_identity
    )
    jobs = TuningJobs(view, images, tuning_pod_settings(settings))
    return {
        queues.WORKSPACES: [
            planner.build_plan,
            planner.read_wanted,
            workspaces.read_workspace,
            preflight.read_workload_preflight,
            workspaces.ensure_finalizer,
            workspaces.delete_finalizer,
            statuses.patch_status,
            workloads.ensure_workload,
            workloads.read_health,
            models.read_model_revision,
            ClusterChecks(view).read_cluster_preflight,
            holdings.read_providers,
            holdings.read_owned_nodes,
            populations.read_population,
            populations.read_runs,
            Adapters(cluster, registries).read_adapter,
        ],
        queues.WAITS: [
            claims.ensure_node_pool,
            claims.delete_node_pool,
            own_nodes.ensure_node_pool,
            own_nodes.delete_node_pool,
            nodes.wait_for_nodes,
            nodes.wait_for_node_loss,
            nodes.wait_for_no_nodes,
            workloads.wait_for_serving,
            workloads.delete_workload,
            jobs.ensure_tuning_job,
            jobs.wait_for_tuning_job,
            jobs.delete_tuning,
            Verification(cluster).read_completions,
        ],
    }


def tuning_pod_settings(settings: WorkerSettings) -> TuningPodSettings:
    """Returns the settings of tuning pods that do not come from the Workspace."""
    return TuningPodSettings(
        tune_image=settings.tune_image,
        data_image=settings.data_image,
        storage_class=settings.tuning_storage_class,
        environment=settings.tuning_environment,
        plain_http=settings.plain_http_registries,
        allowed_hosts=settings.allowed_hosts,
        identity=settings.registry_identity,
    )


async def cloud_activities(azure: AzureSettings, stack: AsyncExitStack) -> Activities:
    """Returns the activities of the queue `cloud`."""
    client = await azure_client.connect(azure, stack)
    pools = AgentPools(client)
    checks = PreflightChecks(client)
    return {
        queues.CLOUD: [pools.ensure_node_pool, pools.delete_node_pool, pools.read_owned_pools, checks.read_preflight]
    }


def worker_for(
    client: Client, queue: str, activities: list[Callable[..., Any]], interceptors: Sequence[Interceptor] = ()
) -> Worker:
    """Returns the worker of one queue; workflow tasks are on the `workspaces` queue."""
    return Worker(
        client,
        task_queue=queue,
        workflows=[WorkspaceWorkflow, SweepWorkflow] if queue == queues.WORKSPACES else [],
        activities=activities,
        interceptors=interceptors,
        max_concurrent_activities=CONCURRENT_WAITS,
        max_task_queue_activities_per_second=queues.CLOUD_STARTS_PER_SECOND if queue == queues.CLOUD else None,
        max_heartbeat_throttle_interval=HEARTBEAT_EVERY,
        default_heartbeat_throttle_interval=HEARTBEAT_EVERY,
        graceful_shutdown_timeout=DRAIN,
    )


async def work(wanted: list[str], stop: asyncio.Event) -> None:
    """Polls the wanted queues until `stop` is set."""
    settings, azure = WorkerSettings(), AzureSettings()
    async with AsyncExitStack() as stack:
        runtime, sdk_port = runtime_with_metrics()
        client = await connect(settings, runtime=runtime)
        await search_attributes.register(client)
        bodies: Activities = {}
        interceptors: list[Interceptor] = []
        if queues.CLOUD in wanted:
            bodies |= await cloud_activities(azure, stack)
        if set(wanted) - {queues.CLOUD}:
            cluster = await Cluster.connect(settings.kubeconfig)
            stack.push_async_callback(cluster.close)
            view = ClusterView(cluster)
            stack.push_async_callback(view.close)
            statuses = Statuses(cluster, gone_reporter(client))
            stack.push_async_callback(statuses.writer.drain)
            bodies |= cluster_activities(settings, azure, client, cluster, view, statuses)
            interceptors.append(StatusInterceptor(statuses.writer))
        if queues.WORKSPACES in wanted:
            await ensure_sweep_schedule(client)
        for queue in wanted:
            await stack.enter_async_context(worker_for(client, queue, bodies[queue], interceptors))
        if queues.WORKSPACES in wanted:
            offering = asyncio.create_task(offer_again(client))
            stack.callback(offering.cancel)
        await stack.enter_async_context(endpoint(settings.metrics_address, lambda: True, sdk_port))
        logging.getLogger(__name__).info("polling %s", ", ".join(wanted))
        await stop.wait()
        asyncio.get_running_loop().call_later(STOP_LIMIT.total_seconds(), _exit_now)


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
