"""Every label, annotation, finalizer and taint key, in one table.

The `kaito.sh` keys have KAITO's meaning; the `modelyard.dev` keys are Modelyard's. `activities` decides which object
gets which key.
"""

import hashlib
from collections.abc import Mapping

GROUP = "kaito.sh"
PLURAL = "workspaces"
KIND = "Workspace"
V1ALPHA1 = f"{GROUP}/v1alpha1"
V1BETA1 = f"{GROUP}/v1beta1"

FIELD_MANAGER = "modelyard"  # server-side apply owner of everything we write
TRAINING_MANAGER = "modelyard-training"  # owner of status.training alone, which is written without the workflow

# Ownership: on node pools (tags), nodes, workloads, services, config maps.
WORKSPACE = "kaito.sh/workspace"
WORKSPACE_NAMESPACE = "kaito.sh/workspacenamespace"
WORKSPACE_UID = "modelyard.dev/workspace-uid"
GENERATION = "modelyard.dev/generation"
COMPONENT = "modelyard.dev/component"  # "serve" | "train" | "fetch" | "publish"
MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY_VALUE = "modelyard"
CONFIG_HASH = "modelyard.dev/config-hash"  # on pod templates, so that a changed config map rolls out

# Azure tags allow neither "/" in names nor more than 256 characters in values, so pools carry these instead.
TAG_NAMESPACE = "modelyard-namespace"
TAG_NAME = "modelyard-name"
TAG_UID = "modelyard-uid"
TAG_MANAGED_BY = "modelyard-managed-by"

WORKSPACE_FINALIZER = "workspace.finalizer.kaito.sh"

# What KAITO leaves: on every Workspace that it has reconciled, on its NodePools, and on what its NodePools make.
KAITO_HASH = "workspace.kaito.io/hash"
KAITO_MANAGED_BY = "karpenter.kaito.sh/managed-by"
KAITO_POOL_WORKSPACE = "karpenter.kaito.sh/workspace-name"
KAITO_POOL_NAMESPACE = "karpenter.kaito.sh/workspace-namespace"

# Annotations a user sets on a Workspace (KAITO's).
RUNTIME = "kaito.sh/runtime"
ENABLE_LOAD_BALANCER = "kaito.sh/enablelb"
BYPASS_RESOURCE_CHECKS = "kaito.sh/bypass-resource-checks"
NODE_IMAGE_FAMILY = "kaito.sh/node-image-family"
NODE_CLASS_NAME = "kaito.sh/node-class-name"
DISABLE_BENCHMARK = "kaito.sh/disable-benchmark"
PERFORMANCE_MODE = "kaito.sh/performance-mode"
USE_LOCAL_WEIGHTS = "kaito.sh/use-local-weights"
MODEL_STREAMING = "kaito.sh/model-streaming"
NODE_PROVISIONER = "kaito.sh/node-provisioner"  # KAITO's words for the same choice as NODE_PROVIDER

# Annotations a user sets on a Workspace (ours).
NODE_PROVIDER = "modelyard.dev/node-provider"  # "aks" | "karpenter" | "byo"
INSTANCE_TYPE_FALLBACKS = "modelyard.dev/instance-type-fallbacks"  # comma-separated, tried in order
MAX_PRICE_PER_HOUR = "modelyard.dev/max-price-per-hour"  # US dollars for all nodes together
ZONES = "modelyard.dev/zones"  # comma-separated, tried in order
CAPACITY_TYPES = "modelyard.dev/capacity-types"  # "spot", "on-demand", tried in order
REPLICAS = "modelyard.dev/replicas"  # copies of the model, a node each
PAUSED = "modelyard.dev/paused"  # any value but "false" pauses: no new work starts
RETRY = "modelyard.dev/retry"  # any new value retries a failed generation
USER_ANNOTATIONS = frozenset(
    {
        RUNTIME,
        ENABLE_LOAD_BALANCER,
        BYPASS_RESOURCE_CHECKS,
        NODE_IMAGE_FAMILY,
        NODE_CLASS_NAME,
        DISABLE_BENCHMARK,
        PERFORMANCE_MODE,
        USE_LOCAL_WEIGHTS,
        MODEL_STREAMING,
        NODE_PROVISIONER,
        NODE_PROVIDER,
        INSTANCE_TYPE_FALLBACKS,
        MAX_PRICE_PER_HOUR,
        ZONES,
        CAPACITY_TYPES,
        REPLICAS,
        PAUSED,
        RETRY,
    }
)

RETRY_MAX = 64  # characters of a retry annotation's value that stand in messages and histories as they are

# Nodes.
GPU_RESOURCE = "nvidia.com/gpu"
ACCELERATOR = "accelerator"
ACCELERATOR_NVIDIA = "nvidia"
INSTANCE_TYPE = "node.kubernetes.io/instance-type"
AGENT_POOL = "kubernetes.azure.com/agentpool"
GPU_TAINT_KEY = "sku"
GPU_TAINT_VALUE = "gpu"
GPU_TAINT = f"{GPU_TAINT_KEY}={GPU_TAINT_VALUE}:NoSchedule"
SPOT_TAINT_KEY = "kubernetes.azure.com/scalesetpriority"
GPU_RESERVATIONS = "gpus.modelyard.dev"  # <this>/<uid of a Workspace>=<GPUs> on nodes that were not bought
# What decides where pods may start. NodeRestriction lets no kubelet set a label of this domain, and none begins with
# one: the worker sets them on nodes that are their provider's own, beside the two labels of before.
PLACEMENT = "modelyard.dev.node-restriction.kubernetes.io/workspace-uid"
GPU_PLACEMENTS = "gpus.modelyard.dev.node-restriction.kubernetes.io"  # <this>/<uid of a Workspace>=<GPUs>

# Services (Azure's cloud provider).
INTERNAL_LOAD_BALANCER = "service.beta.kubernetes.io/azure-load-balancer-internal"

# NodeClaims (Karpenter's keys). The pool `kaito` does not exist: it only keeps Karpenter from managing these nodes.
NODE_POOL = "karpenter.sh/nodepool"
NODE_POOL_VALUE = "kaito"
DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt"
AZURE_SKU_NAME = "karpenter.azure.com/sku-name"
OS = "kubernetes.io/os"

# A selector that names only keys we stamp ourselves selects nothing the user chose; KAITO strips them everywhere.
RESERVED_SELECTOR_KEYS = frozenset(
    {
        WORKSPACE,
        WORKSPACE_NAMESPACE,
        "kaito.sh/ragengine",
        "kaito.sh/ragenginenamespace",
        KAITO_POOL_WORKSPACE,
        KAITO_POOL_NAMESPACE,
        "karpenter.kaito.sh/inferenceset",
        "karpenter.kaito.sh/inferenceset-namespace",
    }
)


_OURS = (".modelyard.dev",)
_OF_NODES = (*_OURS, ".kaito.sh", ".karpenter.sh", ".karpenter.azure.com", ".karpenter.k8s.aws")
"""Domains, with all below them, whose labels decide whose a node is, or are its provider's to set."""


def is_ours(key: str) -> bool:
    """Whether a label or annotation is Modelyard's own to set, by its domain."""
    return _domain(key).endswith(_OURS)


def reserved_on_nodes(key: str) -> bool:
    """Whether nobody but Modelyard, KAITO or the provider may give this label to a node that is bought."""
    return _domain(key).endswith(_OF_NODES)


def for_new_nodes(match_labels: Mapping[str, str]) -> dict[str, str]:
    """The labels of a selector that new nodes are given. Admission and planner refuse the others; a plan is a message,
    and whoever sends one may not have asked them."""
    return {key: value for key, value in match_labels.items() if not reserved_on_nodes(key)}


def _domain(key: str) -> str:
    return f".{key.rpartition('/')[0]}"


def ownership(namespace: str, name: str, uid: str) -> dict[str, str]:
    """Labels that tie an object to one Workspace."""
    return {
        WORKSPACE: name,
        WORKSPACE_NAMESPACE: namespace,
        WORKSPACE_UID: uid,
        MANAGED_BY: MANAGED_BY_VALUE,
    }


def node_ownership(namespace: str, name: str, uid: str) -> dict[str, str]:
    """Labels that tie a node to one Workspace. Without MANAGED_BY: a kubelet refuses to start with labels of the
    kubernetes.io domain that are not its own."""
    return {WORKSPACE: name, WORKSPACE_NAMESPACE: namespace, WORKSPACE_UID: uid}


def forbidden_on_nodes(key: str) -> bool:
    """Whether a kubelet (NodeRestriction) or AKS refuses this label key on nodes that are bought."""
    domain = key.rpartition("/")[0]
    reserved = domain.endswith(("kubernetes.io", "k8s.io", "kubernetes.azure.com"))
    return reserved and not domain.endswith(("kubelet.kubernetes.io", "node.kubernetes.io"))


def set_by_clusters(key: str) -> bool:
    """Whether nodes get this label from Kubernetes, from the cloud, or from NVIDIA's programs, and from nobody else."""
    domain = key.rpartition("/")[0]
    return domain.endswith(("kubernetes.io", "k8s.io", "kubernetes.azure.com", "nvidia.com"))


def pool_tags(namespace: str, name: str, uid: str) -> dict[str, str]:
    """Azure tags that tie a node pool to one Workspace."""
    return {TAG_NAMESPACE: namespace, TAG_NAME: name, TAG_UID: uid, TAG_MANAGED_BY: MANAGED_BY_VALUE}


def without_reserved(match_labels: dict[str, str]) -> dict[str, str]:
    """The labels of a selector that are the user's own."""
    return {key: value for key, value in match_labels.items() if key not in RESERVED_SELECTOR_KEYS}


def is_paused(annotations: Mapping[str, str]) -> bool:
    """Whether a Workspace's annotations pause it: no new work starts."""
    return annotations.get(PAUSED, "false").strip().lower() != "false"


def retry_token(annotations: Mapping[str, str]) -> str:
    """The value of the retry annotation, or the hash of a long one: it stands in every message, and its author may
    change 256 KiB as often as he likes. Of its own result the same."""
    value = annotations.get(RETRY, "")
    return value if len(value) <= RETRY_MAX else hashlib.sha256(value.encode(errors="replace")).hexdigest()
