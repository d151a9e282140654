"""What a worker of the queues `workspaces`, `waits` and `releases` registers, with clients of Kubernetes, registries
and the model hub. It has no cloud credential.

Imported only by a process that polls one of these queues.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from temporalio.client import Client

from activities.clients.host_names import HostNames
from activities.clients.kubernetes import Cluster
from activities.clients.registry import Registries
from activities.clients.view.cluster_view import ClusterView
from activities.contract import queues
from activities.errors.kubernetes import kubernetes_failure
from activities.manifests.serving import Images
from activities.manifests.tuning import TuningPodSettings
from activities.nodes.byo.provider import OwnNodes
from activities.nodes.karpenter.provider import NodeClaims
from activities.nodes.readiness import Nodes
from activities.planning.models import Models
from activities.planning.own_nodes import OwnMachines
from activities.planning.planner import Planner
from activities.preflight.cluster import ClusterChecks
from activities.preflight.gpus import GpuOffers
from activities.preflight.images import WITH_ADAPTERS
from activities.preflight.namespaces import NamespaceRights
from activities.preflight.workload import WorkloadPreflight
from activities.serving.completions import Verification
from activities.serving.pod_owners import PodOwners
from activities.serving.workloads import Workloads
from activities.status.statuses import Statuses
from activities.sweep.nodes import ClusterHoldings
from activities.sweep.workspaces import Populations
from activities.tuning.adapter_verification import Adapters
from activities.tuning.jobs import TuningJobs
from activities.workspaces import Workspaces
from api.pods.registries import RegistryAccess
from process.policy import PolicyFile, PolicySettings
from worker.registration import Registration
from worker.settings import WorkerSettings
from worker.status_interceptor import StatusInterceptor, gone_reporter
from workflows.sweep.schedule import ensure_sweep_schedule
from workflows.sweep.workflow import SweepWorkflow
from workflows.workspace import WorkspaceWorkflow


async def cluster_queues(
    settings: WorkerSettings, client: Client, stack: AsyncExitStack, *, searchable: bool
) -> list[Registration]:
    """Returns the registrations of these queues, and creates the sweep's schedule; workflow tasks are on `workspaces`.
    `searchable`: whether Temporal has the search attributes. Raises RPCError, ValueError for an incomplete
    installation."""
    settings.check_images()
    await ensure_sweep_schedule(client)
    cluster = await Cluster.connect(settings.kubeconfig)
    stack.push_async_callback(cluster.close)
    view = ClusterView(cluster)
    stack.push_async_callback(view.close)
    statuses = Statuses(cluster, gone_reporter(client))
    stack.push_async_callback(statuses.writer.drain)
    populations = Populations(cluster, client, searchable=searchable)
    bodies = cluster_activities(settings, cluster, view, statuses, populations)
    return [
        Registration(
            queues.WORKSPACES,
            bodies[queues.WORKSPACES],
            kubernetes_failure,
            [WorkspaceWorkflow, SweepWorkflow],
            settings.workflow_cache_mib,
            [StatusInterceptor(statuses.writer)],
        ),
        Registration(queues.WAITS, bodies[queues.WAITS], kubernetes_failure),
        Registration(queues.RELEASES, bodies[queues.RELEASES], kubernetes_failure),
    ]


def cluster_activities(
    settings: WorkerSettings, cluster: Cluster, view: ClusterView, statuses: Statuses, populations: Populations
) -> dict[str, list[Callable[..., Any]]]:
    """Returns the activities by queue."""
    images = Images(
        runtime=settings.runtime_image,
        fetch=settings.fetch_image,
        data=settings.data_image,
        hf_endpoint=settings.pods_hf_endpoint or settings.hf_endpoint,
        cpu_kv_cache_gib=settings.serve_cpu_kvcache_gib,
        registry=RegistryAccess(plain_http=settings.plain_http_registries, azure=settings.registry_identity),
    )
    own_images = (settings.runtime_image, settings.fetch_image)
    hosts = HostNames([settings.hf_endpoint, images.hf_endpoint])
    models = Models(cluster, settings.hf_endpoint, hosts)
    policy = PolicyFile(PolicySettings().policy)
    planner = Planner(
        cluster,
        location=settings.azure_location,
        deadlines=settings.deadlines,
        images=own_images,
        data_image=settings.data_image,
        provider=settings.provider,
        with_cloud=settings.with_cloud,
        read_facts=models.read_facts,
        note=statuses.note,
        policy=policy,
    )

    def remote_code(namespace: str) -> bool:
        return policy().rules_of(namespace).remote_code

    workspaces, owners = Workspaces(cluster, statuses.note), PodOwners(cluster)
    offering = settings.gpu_offering
    nodes, gpus = Nodes(view, offering), GpuOffers(view, offering)
    workloads, own_nodes = Workloads(view, images, owners, remote_code), OwnNodes(view)
    claims = NodeClaims(cluster, node_class=settings.node_class, policy=policy, region=settings.azure_location)
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
        cluster,
        images_by_kind,
        registries,
        settings.tuning_storage_class,
        settings.registry_identity,
        NamespaceRights(cluster),
        hosts,
        gpus,
    )
    jobs = TuningJobs(view, images, tuning_pod_settings(settings), remote_code)
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
            ClusterChecks(view).read_cluster_preflight,
            holdings.read_providers,
            holdings.read_owned_nodes,
            populations.read_population,
            populations.read_runs,
            Adapters(cluster, registries).read_adapter,
        ],
        queues.WAITS: [
            claims.ensure_node_pool,
            own_nodes.ensure_node_pool,
            nodes.wait_for_nodes,
            OwnMachines(view).wait_for_own_nodes,
            gpus.wait_for_gpus_offered,
            workloads.wait_for_serving,
            jobs.ensure_tuning_job,
            jobs.wait_for_tuning_job,
            models.read_model_revision,
            Verification(view, owners).read_completions,
        ],
        queues.RELEASES: [
            claims.delete_node_pool,
            own_nodes.delete_node_pool,
            nodes.wait_for_no_nodes,
            workloads.delete_workload,
            jobs.delete_tuning,
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
