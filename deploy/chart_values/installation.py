"""The whole values file of the chart, with its defaults."""

from typing import Annotated, Any, Literal

from pydantic import Field

from activities.contract import plan
from api.policy.document import Policy
from deploy.chart_values.azure import Azure
from deploy.chart_values.group import Group
from deploy.chart_values.images import Images, OthersImage
from deploy.chart_values.monitoring import Alerts, Dashboards, PodMonitors
from deploy.chart_values.network import NetworkPolicies
from deploy.chart_values.pods import Admin, CloudProcess, Process, Resources, Webhook, sized
from deploy.chart_values.temporal import Temporal


class Crds(Group):
    """The CustomResourceDefinition of Workspaces."""

    install: bool = True
    """Whether the chart installs it, and upgrades it with itself. It stays when the chart is uninstalled: with it all
    Workspaces would go."""


class NodeClass(Group):
    """What NodeClaims refer to, with provider karpenter."""

    group: str = "kaito.sh"
    """API group."""
    kind: str = "KaitoNodeClass"
    """Kind."""
    name: str = "default"
    """Name."""


class RegistryIdentity(Group):
    """A workload identity of pods of Workspaces, for Azure's registries."""

    tenant_id: str = ""
    """Tenant."""
    client_id: str = ""
    """Client ID; its federated credential names the ServiceAccount `default` of the Workspace's namespace."""


class Deadlines(Group):
    """In seconds."""

    provision: int = Field(default=plan.Deadlines().provision, ge=1, le=plan.LONGEST_DEADLINE_S)
    """Until nodes are bought."""
    nodes: int = Field(default=plan.Deadlines().nodes, ge=1, le=plan.LONGEST_DEADLINE_S)
    """Until they have joined, with their GPUs."""
    model: int = Field(default=plan.Deadlines().model, ge=1, le=plan.LONGEST_DEADLINE_S)
    """Until the hub has said what the model is."""
    serving: int = Field(default=plan.Deadlines().serving, ge=1, le=plan.LONGEST_DEADLINE_S)
    """Until pods serve."""
    verify: int = Field(default=plan.Deadlines().verify, ge=1, le=plan.LONGEST_DEADLINE_S)
    """Until each has answered a request."""
    data: int = Field(default=plan.Deadlines().data, ge=1, le=plan.LONGEST_DEADLINE_S)
    """Until training data is fetched."""
    training: int = Field(default=plan.Deadlines().training, ge=1, le=plan.LONGEST_DEADLINE_S)
    """Until a training ends."""
    publishing: int = Field(default=plan.Deadlines().publishing, ge=1, le=plan.LONGEST_DEADLINE_S)
    """Until an adapter is in its registry."""
    unready: int = Field(default=plan.Deadlines().unready, ge=1, le=plan.LONGEST_DEADLINE_S)
    """How long a node in use may be not ready before it counts as lost."""


class Settings(Group):
    """Settings of the worker, as docs/operations.md explains them."""

    gpus_offered_by: Literal["plugin", "other"] = "plugin"
    """What makes bought nodes offer GPUs: a device `plugin`, which is looked for before a purchase, or something
    `other` that is no DaemonSet, such as part of the nodes' image. AKS's own is `azure.pools.gpuManagement`."""
    node_class: NodeClass = NodeClass()
    """Of provider karpenter."""
    hf_endpoint: str = Field(default="https://huggingface.co", pattern=r"^https?://[^ ]+$")
    """The hub of models."""
    pods_hf_endpoint: str = Field(default="", pattern=r"^(https?://[^ ]+)?$")
    """The hub as pods reach it; empty means the same."""
    allowed_hosts: list[str] = Field(default_factory=list)
    """Inner hosts that training data may come from nevertheless."""
    plain_http_registries: list[str] = Field(default_factory=list)
    """Registries (host and port) that are reached without TLS."""
    registry_identity: RegistryIdentity = RegistryIdentity()
    """Used for registries where no Secret has a credential."""
    tuning_storage_class: str = ""
    """StorageClass of a training's volume; empty means the cluster's default."""
    tuning_environment: dict[str, str] = Field(default_factory=dict)
    """Environment variables of every container that trains. No secrets."""
    serve_cpu_kvcache_gib: int = Field(default=1, ge=1)
    """KV cache on nodes without a GPU, in GiB."""
    workflow_cache_mib: int = Field(default=80, ge=1)
    """Memory of the cluster worker for workflows at rest, in MiB."""
    deadlines: Deadlines = Deadlines()
    """How long a step may wait before it fails with a reason, in seconds."""


class DevicePlugin(Group):
    """NVIDIA's device plugin, without which no node offers its GPUs. AKS installs the driver only."""

    enabled: bool = False
    """Whether it runs on nodes with GPUs. Not where something else installs it, such as the GPU operator, or
    `azure.pools.gpuManagement: Managed`."""
    image: OthersImage = OthersImage(registry="nvcr.io", repository="nvidia/k8s-device-plugin", tag="v0.19.3")
    """NVIDIA's image."""
    namespace: str = Field(default="modelyard-device-plugin", pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
    """Its namespace: it writes into a folder of the kubelet's, which the chart's own namespace need not allow."""
    create_namespace: bool = True
    """Whether the chart makes that namespace. If not, it must allow privileged pods."""
    tolerations: list[dict[str, Any]] = Field(default_factory=list)
    """Taints of GPU nodes beside Modelyard's, AKS's for spot machines, and `nvidia.com/gpu`."""
    resources: Resources = sized("100m", "100Mi", most_cpu="500m", most_memory="256Mi")
    """Of its pods."""


class Values(Group):
    """Values of Modelyard's chart."""

    image: Images = Images()
    """Images of everything."""
    provider: Literal["aks", "karpenter", "byo"] = "aks"
    """Who brings the nodes of a Workspace that does not say: AKS node pools, NodeClaims, or nodes that are there."""
    namespaces: list[Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]] = Field(
        default_factory=list
    )
    """Namespaces that take part: only there does the worker read Secrets, ask pods, and make Deployments, Services,
    Jobs and volumes. They must exist. Empty means all."""
    azure: Azure = Azure()
    """The AKS cluster."""
    temporal: Temporal = Temporal()
    """How to reach Temporal."""
    settings: Settings = Settings()
    """Settings of the worker, which the webhook shares where it judges by them."""
    policy: Policy = Policy()
    """What Workspaces may buy, mount and run, by namespace (docs/policy.md). A change reaches the processes within some
    two minutes, without a restart."""
    watcher: Process = Process(resources=sized("100m", "128Mi", most_cpu="1", most_memory="512Mi"))
    """The watcher: Kubernetes events to Temporal signals. One pod leads, the others stand by."""
    worker_cluster: Process = Process(resources=sized("250m", "384Mi", most_cpu="2", most_memory="1Gi"))
    """The worker with rights in the cluster, without the cloud's identity."""
    worker_cloud: CloudProcess = CloudProcess(resources=sized("100m", "192Mi", most_cpu="1", most_memory="512Mi"))
    """The worker with the cloud's identity, without rights in the cluster."""
    admin: Admin = Admin(resources=sized("100m", "192Mi", most_cpu="1", most_memory="512Mi"))
    """HTTP for people, who are those that the cluster knows and may do what they may do with Workspaces."""
    webhook: Webhook = Webhook(resources=sized("100m", "192Mi", most_cpu="1", most_memory="512Mi"))
    """The admission webhook."""
    crds: Crds = Crds()
    """Definitions."""
    network_policies: NetworkPolicies = NetworkPolicies()
    """Who may reach the pods, and what they may reach."""
    pod_monitors: PodMonitors = PodMonitors()
    """Metrics."""
    alerts: Alerts = Alerts()
    """Alerts."""
    dashboards: Dashboards = Dashboards()
    """Dashboards."""
    device_plugin: DevicePlugin = DevicePlugin()
    """GPUs of nodes."""
