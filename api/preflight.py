"""The checks that are made before anything is bought: their names, and what each asks. One table for status and plan.

Who makes a check is decided in `activities`; a check that could not be made never stops a Workspace.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class CheckName(StrEnum):
    """Names of checks, in the order in which they are told."""

    SKU_OFFERED = "SkuOffered"
    VCPU_QUOTA = "VcpuQuota"
    POOL_LIMIT = "PoolLimit"
    NODE_CLAIMS = "NodeClaims"
    FREE_GPUS = "FreeGpus"
    PRICE_LIMIT = "PriceLimit"
    MODEL_READABLE = "ModelReadable"
    IMAGES_PULLABLE = "ImagesPullable"
    OUTPUT_WRITABLE = "OutputWritable"
    STORAGE_CLASS = "StorageClass"


PROVIDER_CHECKS: Final[Mapping[str, tuple[CheckName, ...]]] = {
    "aks": (CheckName.SKU_OFFERED, CheckName.VCPU_QUOTA, CheckName.POOL_LIMIT),
    "karpenter": (CheckName.NODE_CLAIMS,),
    "byo": (CheckName.FREE_GPUS,),
}
"""What is asked about nodes, by who brings them; for aks by the identity without rights in the cluster."""
WORKLOAD_CHECKS: Final = (CheckName.PRICE_LIMIT, CheckName.IMAGES_PULLABLE)
"""What is always asked about everything else, by the identity without rights in the cloud."""

QUESTIONS: Final[Mapping[CheckName, str]] = {
    CheckName.SKU_OFFERED: "the machine type is offered in region and zone, and not restricted for the subscription",
    CheckName.VCPU_QUOTA: "the quota of the machine's family has enough vCPUs left; of spot machines, that for spot",
    CheckName.POOL_LIMIT: "the cluster may have one more node pool",
    CheckName.NODE_CLAIMS: "the cluster has NodeClaims, which gpu-provisioner or Karpenter fulfil",
    CheckName.FREE_GPUS: "nodes with the labels have enough free GPUs; too few are waited for",
    CheckName.PRICE_LIMIT: "all nodes together cost no more per hour than the Workspace allows",
    CheckName.MODEL_READABLE: "the token may read the model; its commit is pinned and its files are counted",
    CheckName.IMAGES_PULLABLE: "the registries have the images, and the pull secrets are good for them",
    CheckName.OUTPUT_WRITABLE: "the push secret may write to the output's repository",
    CheckName.STORAGE_CLASS: "the StorageClass that a volume names, or the default one, is there",
}


def place_of(name: str) -> int:
    """Where a check stands in the order; one of a newer release comes last."""
    return list(QUESTIONS).index(CheckName(name)) if name in set(CheckName) else len(QUESTIONS)
