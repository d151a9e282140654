"""The effects of a fault: which requests it refuses with which error, and how it ends an operation.

Pure: from faults and records to an ArmError, an ErrorBody or defects of machines. `faults.py` selects the fault.
"""

from dataclasses import replace
from typing import Literal

from deploy.local.azure.errors import ArmError, ErrorBody
from deploy.local.azure.faults import KINDS, Fault, Target, take
from deploy.local.azure.identity import Identity
from deploy.local.azure.pools import quota, rules
from deploy.local.azure.records import Operation, Pool, Records
from deploy.local.azure.refusals import AT_ONCE, LATE, REFUSALS, at_once, late
from presets.machines.skus import Sku

# The faults attached to an operation when it begins, by the method that begins it.
OPERATION_KINDS = {
    "PUT": (
        "allocation-failed",
        "zonal-allocation-failed",
        "fails-late",
        "node-never-joins",
        "node-without-gpu",
        "spot-eviction",
        "slow-operation",
        "operation-failed",
        "etag-conflict",
        *REFUSALS,
    ),
    "DELETE": ("slow-operation", "operation-failed", "etag-conflict"),
}
FAILING_KINDS = (
    *("allocation-failed", "zonal-allocation-failed", "fails-late", "operation-failed", "etag-conflict"),
    *REFUSALS,
)
_CAPACITY_GUIDANCE = "Read more about improving likelihood of allocation success at https://aka.ms/allocation-guidance"


def refuse_put(records: Records, pool: str, sku: Sku, count: int, *, spot: bool, identity: Identity) -> None:
    """Refuses a PUT that a refusal, quota or SKU fault hits, with numbers that fit the pool. Raises ArmError."""
    target = Target(pool=pool, method="PUT", route="agentPool")
    fault = take(records.faults, tuple(REFUSALS), replace(target, variant=AT_ONCE))
    if fault is not None:
        raise at_once(fault.kind, pool)
    fault = take(records.faults, ["sku-not-available"], target)
    if fault is not None:
        raise sku_refusal(fault, sku, identity.location)
    fault = take(records.faults, ["quota-exceeded"], target)
    if fault is not None:
        raise quota_refusal(fault, records, sku, count, spot=spot, region=identity.location)


def sku_refusal(fault: Fault, sku: Sku, region: str) -> ArmError:
    if fault.variant != "code":
        return rules.size_not_allowed(sku.name, region)
    message = (
        "The requested VM size for resource 'Following SKUs have failed for Capacity Restrictions: "
        f"{sku.name}' is currently not available in location '{region}'. Please try another size or deploy to a "
        "different location or different zone. See https://aka.ms/azureskunotavailable for details."
    )
    return ArmError(409, ErrorBody(code="SkuNotAvailable", message=message))


def quota_refusal(fault: Fault, records: Records, sku: Sku, count: int, *, spot: bool, region: str) -> ArmError:
    """Returns the quota error of the fault's variant, as if just less than requested were left."""
    name = quota.LOW_PRIORITY if spot else sku.family
    current, wanted = quota.used(records.pools.values())[name], sku.vcpus * count
    if fault.variant == "plain":
        return quota.insufficient(wanted, 0, name, region)
    words = quota.nested_quota_error if fault.variant == "nested" else quota.cores_quota_error
    return words(current, current, wanted, name, region)


def preempted(records: Records, pool: Pool, method: Literal["PUT", "DELETE"]) -> list[Fault]:
    """Returns the faults attached to a new operation on this pool, at most one of each kind, and counts them down."""
    kinds = [kind for kind in OPERATION_KINDS[method] if kind != "spot-eviction" or pool.spot]
    found = (take(records.faults, [kind], _operation_target(pool.name, kind, method)) for kind in kinds)
    return [fault for fault in found if fault is not None]


def failure(operation: Operation, pool: Pool, region: str) -> ErrorBody | None:
    """Returns the error with which the operation's faults end it, or None."""
    fault = operation.fault(*FAILING_KINDS)
    if fault is None:
        return None
    if fault.kind in REFUSALS:
        return late(fault.kind, pool.name)
    code, message = _failure_words(fault, pool, region)
    if fault.kind != "etag-conflict":
        return ErrorBody(code=code, message=message)
    inner = ErrorBody(code=code, message=message)
    outer = "The resource operation completed with terminal provisioning state 'Failed'."
    return ErrorBody(code="ResourceOperationFailure", message=outer, details=(inner,))


def node_faults(operation: Operation, nodes: list[str]) -> dict[str, Literal["absent", "no-gpu"]]:
    """Returns which of the machines come up defective because of the operation's faults."""
    found: dict[str, Literal["absent", "no-gpu"]] = {}
    if bare := operation.fault("node-without-gpu"):
        found |= dict.fromkeys(nodes[-(bare.nodes or len(nodes)) :], "no-gpu")
    if missing := operation.fault("node-never-joins"):
        found |= dict.fromkeys(nodes[-(missing.nodes or len(nodes)) :], "absent")
    return found


def _operation_target(pool: str, kind: str, method: str) -> Target:
    """What can be told at once hits requests in its plain variant, and operations only in its late one."""
    return Target(pool=pool, method=method, route="agentPool", variant=LATE if LATE in KINDS[kind].variants else None)


def _failure_words(fault: Fault, pool: Pool, region: str) -> tuple[str, str]:
    zones = ", ".join(pool.properties.get("availabilityZones") or ["1"])
    too_strict = (
        "Allocation failed. VM(s) with the following constraints cannot be allocated, because the condition is too "
        "restrictive. Please remove some constraints and try again. Constraints applied are:\n  - VM Size\n"
    )
    words = {
        ("allocation-failed", "plain"): (
            "AllocationFailed",
            "Allocation failed. We do not have sufficient capacity for the requested VM size in this region. "
            + _CAPACITY_GUIDANCE,
        ),
        ("allocation-failed", "overconstrained"): ("OverconstrainedAllocationRequest", too_strict),
        ("zonal-allocation-failed", "plain"): (
            "ZonalAllocationFailed",
            f"Allocation failed. We do not have sufficient capacity for the requested VM size {pool.vm_size} in zone "
            f"{zones} of {region}. {_CAPACITY_GUIDANCE}",
        ),
        ("zonal-allocation-failed", "overconstrained"): (
            "OverconstrainedZonalAllocationRequest",
            too_strict + "  - Availability Zone\n",
        ),
        ("fails-late", ""): (
            "VMExtensionProvisioningTimeout",
            f"Provisioning of VM extension vmssCSE of agent pool {pool.name} has timed out. "
            "See https://aka.ms/aks-cse-timeout",
        ),
        ("operation-failed", ""): ("InternalOperationError", "The operation could not be completed"),
        ("etag-conflict", "late"): (
            "OriginalEtagNotExpect",
            f"Failed to save agent pool {pool.name}. This operation has been preempted by another operation. "
            "Original etag not expected",
        ),
    }
    return words[fault.kind, fault.variant]
