"""Decides which purchase option is tried next, and builds the failure when none is left. Pure.

The options of a plan come in the user's order. The option that a Workspace already holds comes first, so that an edit
does not move a serving model; an option with too many spot evictions comes last.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from temporalio.exceptions import ApplicationError

from activities.contract.failures import failure
from activities.contract.plan import Option, Plan
from api.purchasing import PurchaseOption
from workflows.state import FailedFallback

EVICTIONS_MAX: Final = 2
"""How many spot evictions of one option are followed by buying it again; then the other options come first."""
TRY_NEXT: Final = frozenset(
    {
        "QuotaExceeded",
        "SkuNotAvailable",
        "AllocationFailed",
        "PoolFailed",
        "CloudRequestRefused",
        "CloudPolicyRefused",
        "PriceAboveLimit",
        "PolicyRefused",
        "NodeNotJoined",
        "NodeWithoutGpu",
        "NodeLost",
        "AcceleratorFault",
        "SpotEvicted",
    }
)
"""Reasons that concern this purchase option, not the Workspace."""

OF_NODES: Final = (
    "provider",
    "terms",
    "node_count",
    "gpus_per_node",
    "gpu_resource",
    "pool_name",
    "os_disk_gib",
    "node_labels",
    "image_family",
    "node_class",
    "placed",
)
"""What of a plan its nodes are bought, labelled and counted by."""


def option_of(plan: Plan) -> str:
    """The name of an option in messages and in the state: `Standard_X`, `Standard_X as spot in zone 2`."""
    return str(PurchaseOption(plan.instance_type, plan.spot, ", ".join(plan.zones)))


def same_purchase(one: Plan, other: Plan) -> bool:
    """Whether a pool bought for one plan fits the other: compares the immutable properties of a pool."""
    return one.terms == other.terms


def same_nodes(one: Plan, other: Plan) -> bool:
    """Whether nodes bought for one plan serve the other as they are: nothing about them would be written anew."""
    return all(getattr(one, field) == getattr(other, field) for field in OF_NODES)


def in_order(options: Sequence[Option], held: Plan | None, evictions: Mapping[str, int]) -> list[Option]:
    """Returns the options of the newest plan in the order in which to try them."""
    found = list(options)
    if held is not None:
        found.sort(key=lambda option: not same_purchase(option.plan, held))
    return sorted(found, key=lambda option: evictions.get(option_of(option.plan), 0) > EVICTIONS_MAX)


def allows_fallback(option: Option, reason: str) -> bool:
    """Whether another purchase option may succeed."""
    return option.refused is not None or reason in TRY_NEXT


def all_failed(tried: Sequence[FailedFallback]) -> ApplicationError:
    """Returns the failure when no option is left: the reason of the user's first choice, and the messages of all."""
    each = "; ".join(f"{one.option}: {one.message} [{one.reason}]" for one in tried)
    return failure(tried[0].reason, f"none of {len(tried)} purchase options worked. {each}")
