"""Every setting of the control plane's processes, read once from the environment (prefix MODELYARD_) at start.

Which process needs which is told by the classes; what a value means is in docs/operations.md.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from activities.contracts import Deadlines, Provider
from activities.nodes.node_claims import NodeClass
from api.registries import AzureIdentity
from api.validation.document import PROVISIONERS


def _in_our_words(word: object) -> object:
    return PROVISIONERS.get(word, word) if isinstance(word, str) else word


VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
InstalledProvider = Annotated[Provider, BeforeValidator(_in_our_words)]
"""aks, karpenter or byo, or KAITO's word for one of them."""


class TemporalSettings(BaseSettings):
    """How to reach Temporal."""

    model_config = SettingsConfigDict(env_prefix="MODELYARD_", frozen=True, extra="ignore")

    temporal_address: str = "127.0.0.1:7233"
    temporal_namespace: str = "default"


class ProcessSettings(TemporalSettings):
    """What every process has: Temporal, the cluster, and where its metrics are scraped."""

    kubeconfig: str | None = None
    metrics_address: str = "127.0.0.1:0"
    system_namespace: str = "modelyard-system"
    """Where our own objects live, the watcher's Lease for one."""


class AzureSettings(BaseSettings):
    """The AKS cluster whose node pools are bought. The endpoint and CA are for sovereign clouds and the local stack."""

    model_config = SettingsConfigDict(env_prefix="MODELYARD_AZURE_", frozen=True, extra="ignore")

    subscription_id: str = ""
    resource_group: str = ""
    cluster: str = ""
    location: str = ""
    endpoint: str = "https://management.azure.com"
    ca_file: Path | None = None
    credential: str = "default"
    """`default` (azure-identity's chain: workload identity, managed identity, CLI) or `token-file:PATH`."""
    pools_per_cluster: int = Field(default=100, gt=0)
    """AKS' limit (Microsoft, "Quotas, virtual machine size restrictions, and region availability in AKS"), which
    Microsoft may have raised for a cluster."""
    polling_interval: float = Field(default=5.0, gt=0)
    """Seconds between two looks at a long-running operation where ARM sends no Retry-After."""


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
    tuning_environment: dict[VariableName, str] = {}
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
