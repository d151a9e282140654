"""Tables of which program reads each field and each annotation of a Workspace, for the reference pages.

A field that is not listed inherits its parent's reader. "nobody" is an explicit entry: users of KAITO's older
releases set fields that no program has acted on for years.
"""

from collections.abc import Mapping
from typing import Final

from api import labels

NO_READER: Final = "nothing: accepted, kept, not acted on"

FIELD_READERS: Final[Mapping[str, str]] = {
    "apiVersion": "Size: without a machine type, v1alpha1 means KAITO's default",
    "kind": "admission",
    "metadata": "every step: names and labels of all objects follow from name, namespace and uid",
    "resource": "Size, ProvisionNodes",
    "resource.count": "Size",
    "resource.instanceType": "Size, Preflight, ProvisionNodes",
    "resource.labelSelector": "ProvisionNodes, AwaitNodes, Deploy",
    "resource.preferredNodes": NO_READER,
    "resource.partition": "Size, AwaitNodes, Deploy: on your own nodes",
    "inference": "Size, Deploy",
    "inference.preset.name": "Size, PrepareModel",
    "inference.preset.accessMode": NO_READER,
    "inference.preset.presetOptions.image": NO_READER,
    "inference.preset.presetOptions.imagePullSecrets": NO_READER,
    "inference.preset.presetOptions.modelAccessSecret": "PrepareModel, Deploy",
    "inference.template": "Size, Preflight, Deploy",
    "inference.config": "Size, Deploy: [both ConfigMaps](configuration.md)",
    "inference.adapters": "Size, Preflight, Deploy, Verify",
    "tuning": "Size, FetchData, Train, Publish",
    "tuning.preset": "Size, PrepareModel, Train",
    "tuning.preset.name": "Size, PrepareModel",
    "tuning.preset.accessMode": NO_READER,
    "tuning.preset.presetOptions.image": NO_READER,
    "tuning.preset.presetOptions.imagePullSecrets": NO_READER,
    "tuning.preset.presetOptions.modelAccessSecret": "PrepareModel, Train",
    "tuning.method": "Size, Train",
    "tuning.config": "Size, FetchData, Train: [both ConfigMaps](configuration.md)",
    "tuning.input": "FetchData, Train",
    "tuning.output": "Preflight, Train, Publish",
}

ANNOTATIONS: Final[Mapping[str, tuple[str, str, str]]] = {
    labels.NODE_PROVIDER: ("`aks`, `karpenter`, `byo`", "The provider of this Workspace's nodes.", "Size, admission"),
    labels.NODE_PROVISIONER: (
        "`azure-gpu-provisioner`, `karpenter`, `byo`",
        f"KAITO's values for the same choice; it must not contradict `{labels.NODE_PROVIDER}`.",
        "Size, admission",
    ),
    labels.INSTANCE_TYPE_FALLBACKS: (
        "machine types, separated by commas",
        "Fallbacks, tried in this order when resource.instanceType is not available.",
        "Size, ProvisionNodes",
    ),
    labels.MAX_PRICE_PER_HOUR: (
        "US dollars, such as `7.50`",
        "What all nodes together may cost per hour at list price; for spot, the most that is paid.",
        "Size, Preflight, ProvisionNodes",
    ),
    labels.ZONES: (
        "`1`, `2`, `3`, `any`, separated by commas",
        "Zones to try, in this order, each by itself.",
        "Size, ProvisionNodes",
    ),
    labels.CAPACITY_TYPES: (
        "`spot`, `on-demand`, separated by a comma",
        "Which kind of machines to try, in this order; on-demand by default.",
        "Size, ProvisionNodes",
    ),
    labels.REPLICAS: (
        '`"1"` to `"1000"`',
        "Copies of the model behind one Service, each on a node of its own; one without it. Cannot be changed.",
        "Size, ProvisionNodes, Deploy",
    ),
    labels.PAUSED: (
        'any but `"false"`',
        "Start nothing new: what runs keeps running, an edit waits, a delete is carried out.",
        "the watcher",
    ),
    labels.RETRY: ("any new value", "Retries a generation that failed.", "the watcher"),
    labels.NODE_IMAGE_FAMILY: ("`ubuntu`, `azurelinux`", "Operating system of bought nodes.", "Size, ProvisionNodes"),
    labels.NODE_CLASS_NAME: (
        "a NodeClass",
        "With karpenter: the node class that new NodeClaims refer to, instead of the installation's.",
        "admission, Size, ProvisionNodes",
    ),
    labels.BYPASS_RESOURCE_CHECKS: (
        "any",
        "Try a model that looks too large for the machine: vLLM takes the context that it finds room for.",
        "admission, Size",
    ),
    labels.RUNTIME: ("`vllm`, `transformers`", "Which server; vLLM always serves.", "admission, which says so"),
    labels.PERFORMANCE_MODE: (
        "`balanced`, `interactivity`, `throughput`",
        "vLLM's option of this name, unless the ConfigMap sets it.",
        "Size, Deploy",
    ),
    labels.USE_LOCAL_WEIGHTS: (
        '`"true"`, `"false"`',
        "The node has the weights: `/opt/kaito/models/<repository>`, in lower case, `-` for `/`. None are fetched.",
        "admission, Size, Deploy",
    ),
    labels.ENABLE_LOAD_BALANCER: (
        '`"True"`',
        "A load balancer for the Service when it is made, reachable without a password: public, or as the policy says.",
        "admission, Size, Deploy",
    ),
    labels.DISABLE_BENCHMARK: ('`"true"`', "No benchmark after the start.", NO_READER),
    labels.MODEL_STREAMING: ("`disabled`", "No streaming of weights from object storage.", NO_READER),
}
"""Values, meaning, who reads it."""


def reader_of(path: str) -> str:
    """The reader of the field at this path, such as `resource.labelSelector.matchLabels`; KeyError if not listed."""
    parts = path.replace("[]", "").split(".")
    while parts:
        found = FIELD_READERS.get(".".join(parts))
        if found:
            return found
        parts.pop()
    raise KeyError(f"{path}: add its reader to api/reference/readers.py")
