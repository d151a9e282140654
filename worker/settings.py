"""Every setting of a worker process, read once from the environment (prefix MODELYARD_) at start."""

from typing import Annotated

from pydantic import Field

from activities.contract.payloads import Deadlines
from activities.nodes.karpenter.node_claim import NodeClass
from api.pods.registries import AzureIdentity
from process.settings import InstalledProvider, ProcessSettings

VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class WorkerSettings(ProcessSettings):
    """What a worker needs beside the above."""

    provider: InstalledProvider = "aks"
    """Who brings the nodes of a Workspace that does not say so itself."""
    cloud_worker: bool | None = None
    """Whether a worker with the cloud's identity runs; empty means that it does where `provider` is aks."""
    node_class: NodeClass = NodeClass()
    """JSON: the group, kind and name that NodeClaims refer to; gpu-provisioner's by default."""
    runtime_image: str = "modelyard/runtime:dev"
    fetch_image: str = "modelyard/fetch:dev"
    tune_image: str = "modelyard/tune:dev"
    data_image: str = "modelyard/data:dev"
    tuning_storage_class: str = ""
    """Of the volume that a training's checkpoints and adapter are kept on; empty means the cluster's default class."""
    tuning_environment: dict[VariableName, str] = Field(default_factory=dict)
    """JSON: variables of every container that trains, such as NCCL's. They stand in the pod: no place for a secret."""
    allowed_hosts: tuple[str, ...] = ()
    """Inner hosts that training data may come from all the same, as JSON; the webhook has to be told the same."""
    registry_identity: AzureIdentity | None = None
    """JSON: the workload identity of pods that speak to registries, where no Secret has a credential."""
    plain_http_registries: tuple[str, ...] = ()
    """Hosts (with port) of registries that are asked without TLS and wherever they are, as JSON."""
    hf_endpoint: str = "https://huggingface.co"
    pods_hf_endpoint: str = ""
    """The hub as pods reach it; empty means the same as `hf_endpoint`."""
    serve_cpu_kvcache_gib: int = 1
    deadlines: Deadlines = Deadlines()
    """JSON, for example MODELYARD_DEADLINES='{"serving": 600}'."""

    @property
    def with_cloud(self) -> bool:
        """Whether node pools can be bought here."""
        return self.provider == "aks" if self.cloud_worker is None else self.cloud_worker
