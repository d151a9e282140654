"""Every setting of a worker of the queues `workspaces`, `waits` and `releases`, read once from the environment (prefix
MODELYARD_).

The worker of queue `cloud` has `worker/queue_settings.py` and the Azure client's own.
"""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from activities.contract.plan import LONGEST_DEADLINE_S, Deadlines
from activities.nodes.gpus.offers import GpuOffering, OfferedBy
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
    gpus_offered_by: OfferedBy = "plugin"
    """What makes nodes that are made for Workspaces offer GPUs: a device plugin, which is looked for before a purchase,
    or something `other` that is no DaemonSet, such as part of the nodes' image."""
    azure_pool_gpu_management: Literal["", "Managed", "Unmanaged"] = ""
    """That of pools; the worker of queue `cloud` needs it too."""
    runtime_image: str = ""
    fetch_image: str = ""
    tune_image: str = ""
    data_image: str = ""
    """The images of model pods. None has a default: a name that somebody else could publish under must not run."""
    workflow_cache_mib: int = Field(default=80, ge=1)
    """Memory for cached workflows, some 160 KiB each; the history of any other is fetched and replayed at its next
    event."""
    tuning_storage_class: str = ""
    """StorageClass of the volume for a training's checkpoints and adapter; empty means the cluster's default."""
    tuning_environment: dict[VariableName, str] = Field(default_factory=dict)
    """JSON: environment variables of training containers, such as NCCL's. Visible in the pod spec: not for secrets."""
    allowed_hosts: tuple[str, ...] = ()
    """JSON: internal hosts from which training data is allowed; must equal the webhook's setting."""
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

    @field_validator("deadlines")
    @classmethod
    def _are_deadlines(cls, deadlines: Deadlines) -> Deadlines:
        wrong = [f"{name} is {seconds}" for name, seconds in deadlines if not 1 <= seconds <= LONGEST_DEADLINE_S]
        if wrong:
            raise ValueError(f"{', '.join(wrong)}: set each to 1 to {LONGEST_DEADLINE_S} seconds (31 days)")
        return deadlines

    @property
    def gpu_offering(self) -> GpuOffering:
        """The installation's word on who offers GPUs."""
        return GpuOffering(self.gpus_offered_by, managed=self.azure_pool_gpu_management == "Managed")

    @property
    def with_cloud(self) -> bool:
        """Whether node pools can be bought here."""
        return self.provider == "aks" if self.cloud_worker is None else self.cloud_worker

    def check_images(self) -> None:
        """Raises ValueError if an image of model pods is not named."""
        for name in ("runtime_image", "fetch_image", "tune_image", "data_image"):
            if not getattr(self, name):
                raise ValueError(
                    f"MODELYARD_{name.upper()} is not set: name the image that `make images REGISTRY=...` has pushed"
                )
