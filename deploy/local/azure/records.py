"""The emulator's state: the cluster, its pools, operations, faults and settings, and the file that stores them.

Every change is written before its response is sent, by an atomic rename, so that an emulator killed at any moment
restarts with everything that it had acknowledged.
"""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from deploy.local.azure.errors import ErrorBody
from deploy.local.azure.faults import Fault

OperationKind = Literal["create", "update", "delete", "stop", "start"]
OperationStatus = Literal["InProgress", "Succeeded", "Failed", "Canceled"]
# ARM keeps finished operations for a while; 500 is far more than any client polls at once.
FINISHED_OPERATIONS_KEPT = 500


# The suffix of a machine's name after its scale set's. Azure counts in base 36; up to nine it is the same.
NODE_NUMBER = "{:06d}"


def node_name(scale_set: str, number: int) -> str:
    return scale_set + NODE_NUMBER.format(number)


class Settings(BaseModel):
    """What can be changed while the emulator runs. Seconds are wall-clock; quota figures are vCPUs."""

    model_config = ConfigDict(extra="forbid")

    create_seconds: float = Field(default=3.0, ge=0)
    update_seconds: float = Field(default=1.0, ge=0)
    delete_seconds: float = Field(default=2.0, ge=0)
    stop_seconds: float = Field(default=2.0, ge=0)
    start_seconds: float = Field(default=3.0, ge=0)
    # 0 omits the header, and the client polls at its own interval.
    retry_after_seconds: int = Field(default=1, ge=0)
    # How long evicted pods have to leave a node before they are deleted with it.
    drain_seconds: float = Field(default=30.0, ge=0)
    # How long a machine that fails to start or go is retried before the operation fails. Outlasts a restart of the
    # API server, as a real machine would.
    machine_seconds: float = Field(default=120.0, ge=0)
    # AKS's limit of node pools per cluster.
    pool_limit: int = Field(default=100, ge=1)
    # AKS runs operations on different pools concurrently; true refuses the second one.
    serialise_pools: bool = False
    # AKS lets a delete preempt a running create in some versions and answers 409 in others; 409 is the harder case.
    delete_preempts_create: bool = False
    family_limit: int = Field(default=960, ge=0)
    family_limits: dict[str, int] = Field(default_factory=dict)
    regional_limit: int = Field(default=4000, ge=0)
    low_priority_limit: int = Field(default=960, ge=0)


class ScheduledEvent(BaseModel):
    """An event on a pool outside of any operation: nodes that arrive late, machines that are evicted."""

    at: float
    what: Literal["arrive", "evict"]
    nodes: int | None = None


class Pool(BaseModel):
    """An agent pool. `properties` are the requested ones with defaults filled in, in ARM's spelling."""

    name: str
    properties: dict[str, Any]
    provisioning_state: str
    etag: str
    birth: str
    scale_set: str
    nodes: list[str] = Field(default_factory=list)
    next_node: int = 0
    # Machines that were started and not removed: those that a restarted stack brings back.
    started: list[str] = Field(default_factory=list)
    # Defects of machines caused by a fault, by node name.
    node_faults: dict[str, Literal["absent", "no-gpu"]] = Field(default_factory=dict)
    operation: str | None = None
    later: list[ScheduledEvent] = Field(default_factory=list)

    def resize(self) -> None:
        """Adjusts the list of machines to the count: the newest are removed first, and names are never reused."""
        while len(self.nodes) > self.count:
            self.node_faults.pop(self.nodes.pop(), None)
        while len(self.nodes) < self.count:
            self.nodes.append(node_name(self.scale_set, self.next_node))
            self.next_node += 1

    @property
    def count(self) -> int:
        return int(self.properties["count"])

    @property
    def vm_size(self) -> str:
        return str(self.properties["vmSize"])

    @property
    def spot(self) -> bool:
        return self.properties.get("scaleSetPriority") == "Spot"


class Operation(BaseModel):
    """A long-running operation on one pool, or on the cluster if `pool` is empty. Times are seconds since the epoch, so
    that they survive a restart."""

    id: str
    pool: str
    kind: OperationKind
    started_at: float
    due_at: float
    ended_at: float | None = None
    status: OperationStatus = "InProgress"
    error: ErrorBody | None = None
    faults: list[Fault] = Field(default_factory=list)
    ignore_budgets: bool = Field(default=False, description="Of a deletion: AKS minds no disruption budget.")

    def fault(self, *kinds: str) -> Fault | None:
        return next((fault for fault in self.faults if fault.kind in kinds), None)


class Records(BaseModel):
    """The whole state. `power_state` and `provisioning_state` are the cluster's, changed by stop and start and by the
    control endpoint."""

    power_state: Literal["Running", "Stopped"] = "Running"
    provisioning_state: str = "Succeeded"
    settings: Settings = Field(default_factory=Settings)
    pools: dict[str, Pool] = Field(default_factory=dict)
    operations: dict[str, Operation] = Field(default_factory=dict)
    faults: list[Fault] = Field(default_factory=list)
    fault_count: int = 0

    def running(self) -> list[Operation]:
        return [operation for operation in self.operations.values() if operation.status == "InProgress"]


class RecordsFile:
    """The records on disk. `save` is called after every change; the only writer is the emulator's event loop."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path = path
        self.records = self._load(settings)

    def save(self) -> None:
        self._forget_old_operations()
        draft = self._path.with_suffix(".new")
        draft.write_text(self.records.model_dump_json())
        os.replace(draft, self._path)

    def _load(self, settings: Settings) -> Records:
        if not self._path.exists():
            return Records(settings=settings)
        return Records.model_validate_json(self._path.read_text())

    def _forget_old_operations(self) -> None:
        operations = self.records.operations
        finished = [name for name, operation in operations.items() if operation.ended_at is not None]
        for name in finished[: max(0, len(finished) - FINISHED_OPERATIONS_KEPT)]:
            del operations[name]
