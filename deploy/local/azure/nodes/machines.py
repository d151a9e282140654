"""A machine of a pool, its node's labels and capacity, and the protocol that starts and removes machines."""

from dataclasses import dataclass, field
from typing import Protocol

from deploy.local.azure.identity import Identity
from deploy.local.azure.records import NODE_NUMBER, Pool
from presets.machines.skus import Sku, find_sku

POOL_LABEL = "kubernetes.azure.com/agentpool"
NUMBER_WIDTH = len(NODE_NUMBER.format(0))


class MachineFailed(Exception):
    """A machine could not be started or removed; the message says which and why."""


@dataclass(frozen=True)
class Machine:
    """One machine to start: its node's name, labels and capacity. `number` is its index in the scale set."""

    name: str
    pool: str
    number: int
    provider_id: str
    sku: Sku
    gpus: int
    labels: dict[str, str] = field(default_factory=dict)
    taints: tuple[str, ...] = ()


class Machines(Protocol):
    """Starts and removes machines. Both calls are idempotent."""

    async def open(self) -> None:
        """Called once, before anything else, in the event loop that runs the rest."""

    async def close(self) -> None: ...

    async def start(self, machine: Machine) -> None:
        """Returns when the machine's node has registered. Raises MachineFailed."""

    async def remove(self, pool: str, name: str, *, drain_seconds: float) -> None:
        """Drains the node, ends the machine, deletes the Node object. Raises MachineFailed."""

    async def present(self, pool: str) -> list[str]:
        """Returns the names of the pool's existing machines, in whatever state. Raises MachineFailed."""


def machine(pool: Pool, name: str, identity: Identity, *, gpus: int | None = None) -> Machine:
    """Returns the machine of this name as the pool describes it; `gpus` overrides the VM size's count."""
    sku = find_sku(pool.vm_size)
    scale_set, number = name[:-NUMBER_WIDTH], int(name[-NUMBER_WIDTH:])
    return Machine(
        name=name,
        pool=pool.name,
        number=number,
        provider_id=identity.provider_id(scale_set, number),
        sku=sku,
        gpus=sku.gpus if gpus is None else gpus,
        labels=_labels(pool, sku, identity, number),
        taints=tuple(pool.properties.get("nodeTaints") or ()),
    )


def _labels(pool: Pool, sku: Sku, identity: Identity, number: int) -> dict[str, str]:
    zones = pool.properties.get("availabilityZones") or []
    zone = f"{identity.location}-{zones[number % len(zones)]}" if zones else "0"
    labels = {
        "agentpool": pool.name,
        POOL_LABEL: pool.name,
        "kubernetes.azure.com/cluster": identity.node_group,
        "kubernetes.azure.com/mode": str(pool.properties.get("mode", "User")).lower(),
        "kubernetes.azure.com/role": "agent",
        "kubernetes.azure.com/os-sku": str(pool.properties.get("osSKU", "Ubuntu")),
        "node.kubernetes.io/instance-type": sku.name,
        "topology.kubernetes.io/region": identity.location,
        "topology.kubernetes.io/zone": zone,
    }
    if sku.gpus:
        labels |= {"accelerator": "nvidia", "kubernetes.azure.com/accelerator": "nvidia"}
    return labels | {key: str(value) for key, value in (pool.properties.get("nodeLabels") or {}).items()}
