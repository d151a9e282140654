"""How much memory and disk each of our containers asks for and may use at most: one row for each program. Pure.

Memory and ephemeral storage have limits on every container, because a bomb in somebody's data would otherwise be paid
by the node's other pods, and because a ResourceQuota refuses pods without. CPU has none: it is shared by weight and
given back at once, and a quota of it would stop vLLM's threads in the middle of a token; where a ResourceQuota asks for
`limits.cpu`, a LimitRange gives the default. `pods.py` puts them into the containers.
"""

from dataclasses import dataclass
from typing import Final

from activities.clients.kubernetes import Object
from activities.contract.plan import Plan
from api import labels
from presets.machines.skus import UnknownSku, find_sku

DISK_REQUEST: Final = "256Mi"
"""Ephemeral storage that the scheduler keeps free for a container: its log, with the container runtime's rotation.
Without a request Kubernetes takes the limit, and no node would have that much. Weights are not asked for: a node that
is too small for them ends `fetch`, which names the gigabytes."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Quantities as Kubernetes writes them. `cpu` and `memory` are requests; the others are limits. `disk` counts for
    all containers of a pod together: logs, and what is in its emptyDirs. `tmp` is the size of /tmp."""

    cpu: str = "100m"
    memory: str
    most_memory: str = ""
    disk: str = "2Gi"
    tmp: str = "256Mi"
    gpus: int = 0
    gpu_resource: str = labels.GPU_RESOURCE

    def resources(self) -> Object:
        """The `resources` of the container; no limit of memory where none is known."""
        gpus = {self.gpu_resource: str(self.gpus)} if self.gpus else {}
        memory = {"memory": self.most_memory} if self.most_memory else {}
        return {
            "requests": {"cpu": self.cpu, "memory": self.memory, "ephemeral-storage": DISK_REQUEST} | gpus,
            "limits": memory | {"ephemeral-storage": self.disk} | gpus,
        }


FETCH_DATA: Final = Bounds(memory="256Mi", most_memory="4Gi")
"""Reads rows in batches, and one row of JSON may have 64 Mi characters (`runtime/rows/json_rows.py`), which Python
holds several times. Runs on shared nodes."""
TOKENIZER: Final = Bounds(memory="128Mi", most_memory="2Gi")
"""The hub's client, for a few files of megabytes. Beside FETCH_DATA."""
PUBLISH: Final = Bounds(memory="256Mi", most_memory="1Gi")
"""Streams layers in chunks of megabytes and holds no file. Runs on shared nodes."""
ADAPTERS: Final = Bounds(memory="128Mi", most_memory="2Gi", disk="16Gi")
"""Streams adapters to the disk, holds the header of a safetensors file (100 MB of JSON at most) and the window of a
decompressor."""


def fetching(plan: Plan) -> Bounds:
    """Of `fetch`: eight connections, and the buffers of the hub's client, which has 1 GB for them (`serving.py`).
    Weights may fill the disk for which the node was sized."""
    return Bounds(memory="128Mi", most_memory="4Gi", disk=f"{plan.os_disk_gib}Gi")


def computing(plan: Plan) -> Bounds:
    """Of `serve` and `train`: all memory that the machine has.

    What they need depends on model, options and load, and a lower limit would kill them in the middle of work that is
    paid for. A node that was bought runs nothing else but its daemons, which the kubelet's reserve protects: all pods
    together have less than the machine. The limit is there for namespaces whose ResourceQuota asks for one.
    """
    memory = memory_gib(plan)
    return Bounds(
        cpu="500m",
        memory="1Gi",
        most_memory=f"{memory}Gi" if memory else "",
        disk="32Gi",
        tmp="8Gi",
        gpus=plan.gpus_per_node,
        gpu_resource=plan.gpu_resource,
    )


def memory_gib(plan: Plan) -> int:
    """The machine's memory; 0 if neither its size nor the nodes told it."""
    if not plan.instance_type:
        return plan.memory_gib
    try:
        return find_sku(plan.instance_type).ram_gib
    except UnknownSku:
        return plan.memory_gib
