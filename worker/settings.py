"""Every setting of a worker of the queues `workspaces`, `waits` and `releases`, read once from the environment (prefix
MODELYARD_).

The worker of queue `cloud` has `worker/queue_settings.py` and the Azure client's own.
"""

from typing import Annotated

from pydantic import Field

from activities.contract.plan import Deadlines
from activities.nodes.karpenter.node_claim import NodeClass
from api.pods.registries import AzureIdentity
from process.installed_provider import InstalledProvider
from worker.queue_settings import QueueSettings

VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class WorkerSettings(QueueSettings):
    """Settings of a worker."""

    provider: InstalledProvider = "aks"
    """Node provider of a Workspace that does not name one."""
    cloud_worker: bool | None = None
    """Whether a worker with the cloud's identity runs; empty means only if `provider` is aks."""
    azure_location: str = ""
    """The region whose prices plans have; the worker of queue `cloud` needs it too."""
    node_class: NodeClass = NodeClass()
    """JSON: group, kind and name of the node class that NodeClaims reference; gpu-provisioner's by default."""
    runtime_image: str = "modelyard/runtime:dev"
    fetch_image: str = "modelyard/fetch:dev"
    tune_image: str = "modelyard/tune:dev"
    data_image: str = "modelyard/data:dev"
    workflow_cache_mib: int = Field(default=80, ge=1)
    """Memory for cached workflows, some 160 KiB each; the history of any other is fetched and replayed at its next
    event."""
    tuning_storage_class: str = ""
    """StorageClass of the volume for a training's checkpoints and adapter; empty means the cluster's default."""
    tuning_environment: dict[VariableName, str] = Field(default_factory=dict)
    """JSON: environment variables of training containers, such as NCCL's. Visible in the pod spec: not for secrets."""
    allowed_hosts: tuple[str, ...] = ()
    """JSON: internal hosts from which training data is allowed; must equal the webhook's setting."""
    remote_code_allowed: bool = False
    """Whether Workspaces may run code of their model's repository in its pods; must equal the webhook's setting."""
    registry_identity: AzureIdentity | None = None
    """JSON: the workload identity of pods that access registries, used if no Secret has a credential."""
    plain_http_registries: tuple[str, ...] = ()
    """JSON: hosts (with port) of registries that are reached without TLS, and at any address."""
    hf_endpoint: str = "https://huggingface.co"
    pods_hf_endpoint: str = ""
    """URL of the hub for pods; empty means `hf_endpoint`."""
    serve_cpu_kvcache_gib: int = 1
    deadlines: Deadlines = Deadlines()
    """JSON, for example MODELYARD_DEADLINES='{"serving": 600}'."""

    def allows_remote_code(self, namespace: str) -> bool:
        """Whether code of a model's repository may run in this namespace: the same in all."""
        return self.remote_code_allowed

    @property
    def with_cloud(self) -> bool:
        """Whether node pools can be bought here."""
        return self.provider == "aks" if self.cloud_worker is None else self.cloud_worker
