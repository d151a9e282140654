"""The preflight checks, made before nodes are bought: their names, and what each queries. Shared by status and plan.

`activities` runs the checks; a check that could not be made never blocks a Workspace.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class CheckName(StrEnum):
    """Names of checks, in the order of the report."""

    SKU_OFFERED = "SkuOffered"
    VCPU_QUOTA = "VcpuQuota"
    POOL_LIMIT = "PoolLimit"
    NODE_CLAIMS = "NodeClaims"
    FREE_GPUS = "FreeGpus"
    GPUS_OFFERED = "GpusOffered"
    PRICE_LIMIT = "PriceLimit"
    MODEL_READABLE = "ModelReadable"
    IMAGES_PULLABLE = "ImagesPullable"
    OUTPUT_WRITABLE = "OutputWritable"
    DATA_HOSTS = "DataHosts"
    STORAGE_CLASS = "StorageClass"
    NOTHING_OF_KAITO = "NothingOfKaito"


PROVIDER_CHECKS: Final[Mapping[str, tuple[CheckName, ...]]] = {
    "aks": (CheckName.SKU_OFFERED, CheckName.VCPU_QUOTA, CheckName.POOL_LIMIT),
    "karpenter": (CheckName.NODE_CLAIMS,),
    "byo": (CheckName.FREE_GPUS,),
}
"""The checks of nodes, by provider; for aks they use the identity without rights in the cluster."""
WORKLOAD_CHECKS: Final = (CheckName.PRICE_LIMIT, CheckName.IMAGES_PULLABLE)
"""The checks made for every provider, with the identity without rights in the cloud."""

QUESTIONS: Final[Mapping[CheckName, str]] = {
    CheckName.SKU_OFFERED: "the machine type is offered in region and zone, and not restricted for the subscription",
    CheckName.VCPU_QUOTA: "the quota of the machine's family has enough vCPUs left; of spot machines, that for spot",
    CheckName.POOL_LIMIT: "the cluster may have one more node pool",
    CheckName.NODE_CLAIMS: "the cluster has NodeClaims, which gpu-provisioner or Karpenter fulfil",
    CheckName.FREE_GPUS: "nodes with the labels have enough free GPUs; too few are waited for",
    CheckName.GPUS_OFFERED: "a device plugin would run on the nodes and offer their GPUs; a missing one is waited for",
    CheckName.PRICE_LIMIT: "all nodes together cost no more per hour than the Workspace allows",
    CheckName.MODEL_READABLE: "the token may read the model; its commit is pinned and its files are counted",
    CheckName.IMAGES_PULLABLE: "the registries have the images, and the pull secrets are good for them",
    CheckName.OUTPUT_WRITABLE: "the push secret may write to the output's repository",
    CheckName.DATA_HOSTS: "the names of the hosts that the training's data comes from exist",
    CheckName.STORAGE_CLASS: "the StorageClass that a volume names, or the default one, is there",
    CheckName.NOTHING_OF_KAITO: "KAITO's workload and nodes of a Workspace that it made are handed over",
}


def place_of(name: str) -> int:
    """A check's position in the report; a check of a newer release sorts last."""
    return list(QUESTIONS).index(CheckName(name)) if name in set(CheckName) else len(QUESTIONS)
