"""Every fault that the ARM emulator can make (`modelyard local fault`), and where a Workspace arrives that meets it.

Data only. Faults that need machines of a kind that nobody buys are in NOT_MET, with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from testing.faults.refusals import REASONS
from tests.chaos.judging import Goal

Fault = Mapping[str, Any]


@dataclass(frozen=True)
class ArmCase:
    """The faults that one Workspace's pool meets. `reason` is the status's when it is to fail."""

    name: str
    faults: tuple[Fault, ...]
    goal: Goal = "ready"
    reason: str = ""
    purchases: int = 1


def _once(kind: str, **narrowed: Any) -> tuple[Fault, ...]:
    return ({"kind": kind, "times": 1} | narrowed,)


def _refused(kind: str, variant: str, reason: str) -> ArmCase:
    return ArmCase(f"{kind} {variant}", _once(kind, variant=variant), "failed", reason, purchases=0)


CASES: Final = (
    *(_refused(kind, "plain", reason) for kind, reason in REASONS.items()),
    *(ArmCase(f"{kind} late", _once(kind, variant="late"), "failed", reason) for kind, reason in REASONS.items()),
    *(_refused("quota-exceeded", variant, "QuotaExceeded") for variant in ("plain", "nested", "cores")),
    *(_refused("sku-not-available", variant, "SkuNotAvailable") for variant in ("plain", "code")),
    *(
        ArmCase(f"{kind} {variant}", _once(kind, variant=variant))
        for kind in ("allocation-failed", "zonal-allocation-failed")
        for variant in ("plain", "overconstrained")
    ),
    ArmCase("throttled PUT", _once("throttled", method="PUT", seconds=2)),
    ArmCase("throttled DELETE", _once("throttled", method="DELETE", seconds=2)),
    *(
        ArmCase(f"server-error {status} {method}", _once("server-error", method=method, status=status))
        for method, status in (("GET", 500), ("PUT", 502), ("PUT", 503), ("DELETE", 504))
    ),
    ArmCase("slow-operation PUT", _once("slow-operation", method="PUT", seconds=8)),
    ArmCase("slow-operation DELETE", _once("slow-operation", method="DELETE", seconds=8)),
    ArmCase("fails-late once", _once("fails-late", seconds=3)),
    ArmCase("fails-late always", ({"kind": "fails-late", "seconds": 3},), "failed", "PoolFailed"),
    ArmCase("operation-failed PUT", _once("operation-failed", method="PUT")),
    ArmCase("operation-failed DELETE", _once("operation-failed", method="DELETE")),
    ArmCase("node-never-joins", _once("node-never-joins"), purchases=2),
    ArmCase("node-without-gpu", _once("node-without-gpu"), purchases=2),
    *(
        ArmCase(f"lost-response {method}", _once("lost-response", method=method, route="agentPool"))
        for method in ("GET", "PUT", "DELETE")
    ),
    # Only a PUT on a pool that is there carries an etag: the first operation has to fail for one.
    ArmCase(
        "etag-conflict plain",
        _once("operation-failed", method="PUT") + _once("etag-conflict", variant="plain", method="PUT"),
    ),
    ArmCase("etag-conflict late", _once("etag-conflict", variant="late", method="PUT")),
    ArmCase("cluster-stopped", _once("cluster-stopped")),
    ArmCase("cluster-upgrading", _once("cluster-upgrading")),
)
NOT_MET: Final[Mapping[tuple[str, str], str]] = {
    ("spot-eviction", ""): "the Workspaces here buy no spot machines; tests of fallbacks evict those of some that do",
    ("sku-not-available", "listed"): "strikes every Workspace at once; the refusal of the purchase is that of plain",
}
"""By kind and variant."""
