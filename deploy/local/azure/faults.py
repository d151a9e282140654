"""The faults that can be injected, and which request or operation each one hits.

A fault has a kind and filters: how many times, which pools, which HTTP method, which route. `take` selects a fault and
counts it down; its effect is decided where it hits (`http/gate.py`, `fault_effects.py`, `operations.py`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deploy.local.azure.refusals import AT_ONCE, LATE, REFUSALS


@dataclass(frozen=True)
class Kind:
    """What a kind emulates, its variants (the first is the default), and the method it hits by default."""

    imitates: str
    variants: tuple[str, ...] = ()
    method: str = "*"
    seconds: float = 0.0


KINDS: dict[str, Kind] = {
    "quota-exceeded": Kind(
        "the vCPU quota does not cover the pool: 400 ErrCode_InsufficientVCPUQuota with numbers; variant nested: 400 "
        "BadRequest with QuotaExceeded in its details; variant cores: 409 OperationNotAllowed about the quota",
        ("plain", "nested", "cores"),
    ),
    "sku-not-available": Kind(
        "the VM size is not sold to this subscription here: 400 BadRequest 'not allowed in your subscription'; "
        "variant code: 409 SkuNotAvailable; variant listed: as plain, and the SKU listing carries the restriction too",
        ("plain", "code", "listed"),
    ),
    "allocation-failed": Kind(
        "the region is out of machines: the operation fails with AllocationFailed; variant overconstrained: with "
        "OverconstrainedAllocationRequest",
        ("plain", "overconstrained"),
    ),
    "zonal-allocation-failed": Kind(
        "the zone is out of machines: the operation fails with ZonalAllocationFailed; variant overconstrained: with "
        "OverconstrainedZonalAllocationRequest",
        ("plain", "overconstrained"),
    ),
    "throttled": Kind("ARM throttles the caller: 429 TooManyRequests, Retry-After of --seconds", seconds=1.0),
    "server-error": Kind("ARM fails: 500, or another --status (502, 503, 504)"),
    "slow-operation": Kind("the operation takes --seconds longer than usual", seconds=30.0),
    "fails-late": Kind("the operation says Failed, yet the nodes come up --seconds later and cost money", seconds=3.0),
    "operation-failed": Kind("the operation fails with InternalOperationError; with --method DELETE the pool stays"),
    "node-never-joins": Kind("the operation succeeds, but --nodes of the machines (default all) never register"),
    "node-without-gpu": Kind("--nodes of the machines (default all) join without a usable GPU: the driver is missing"),
    "lost-response": Kind("the request takes effect, but the connection ends before its answer", method="PUT"),
    "etag-conflict": Kind(
        "another client wrote in between: a request with If-Match gets 412; variant late: the operation is accepted "
        "and fails with OriginalEtagNotExpect",
        ("plain", "late"),
    ),
    "spot-eviction": Kind(
        "Azure takes back --nodes machines (default all) of spot pools, --seconds after they came or, for pools that "
        "are there already, from now",
        seconds=1.0,
    ),
    "cluster-stopped": Kind(
        "`az aks stop` was run: power state Stopped, writes are refused with 409; with --times only so many writes, "
        "as if it were stopped at that moment"
    ),
    "cluster-upgrading": Kind(
        "the cluster is being upgraded: state Upgrading, writes are refused with 409; --times as for cluster-stopped"
    ),
    **{
        name: Kind(f"{found.imitates}; variant late: the operation is accepted and fails with it", (AT_ONCE, LATE))
        for name, found in REFUSALS.items()
    },
}


class Fault(BaseModel):
    """One fault that was set. Patterns are shell-style; `times` None means until it is cleared."""

    model_config = ConfigDict(extra="forbid")

    id: str = ""
    kind: str
    times: int | None = Field(default=None, ge=1)
    pool: str = "*"
    method: str = ""
    route: str = "*"
    variant: str = ""
    seconds: float | None = Field(default=None, ge=0)
    status: int = Field(default=500, ge=500, le=599)
    nodes: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _fill_from_kind(self) -> Self:
        kind = KINDS.get(self.kind)
        if kind is None:
            raise ValueError(f"no fault {self.kind!r}: choose one of {', '.join(KINDS)}")
        if self.variant and self.variant not in kind.variants:
            known = ", ".join(kind.variants) or "none"
            raise ValueError(f"{self.kind} has no variant {self.variant!r}, of {known}")
        self.variant = self.variant or next(iter(kind.variants), "")
        self.method = (self.method or kind.method).upper()
        self.seconds = kind.seconds if self.seconds is None else self.seconds
        return self

    @property
    def delay(self) -> float:
        """The fault's seconds; the kind's default has been filled in."""
        return self.seconds or 0.0

    def hits(self, kinds: Collection[str], target: "Target") -> bool:
        return (
            self.kind in kinds
            and (target.variant is None or self.variant == target.variant)
            and fnmatchcase(target.pool, self.pool)
            and self.method in ("*", target.method.upper())
            and fnmatchcase(target.route.lower(), self.route.lower())
        )


@dataclass(frozen=True)
class Target:
    """What a fault may hit. `route` is as in the call counts; `variant` selects faults of that variant only."""

    pool: str = ""
    method: str = ""
    route: str = ""
    variant: str | None = None


def take(faults: list[Fault], kinds: Collection[str], target: Target) -> Fault | None:
    """Returns the first matching fault of these kinds, counted down; one that is used up leaves the list."""
    for fault in faults:
        if fault.hits(kinds, target):
            # Returned as it was before the count: operations keep it in the records, which reject a fault with 0 times.
            struck = fault.model_copy()
            if fault.times is not None:
                fault.times -= 1
                if fault.times == 0:
                    faults.remove(fault)
            return struck
    return None


def standing(faults: list[Fault], kind: str) -> Fault | None:
    """Returns a fault that lasts until it is cleared, such as a state of the cluster. One that strikes a number of
    times is no state: whoever asked before could not know of it."""
    return next((fault for fault in faults if fault.kind == kind and fault.times is None), None)
