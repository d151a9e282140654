"""Which way to get the nodes is tried next, and what is said when none is left. Pure.

The options of a plan come in the user's order. What a Workspace has already comes first, so that no edit moves a model
that serves; an option whose spot machines were taken back too often comes last.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from temporalio.exceptions import ApplicationError

from activities.contract.failures import failure
from activities.contract.payloads import Plan
from activities.contract.plan import Option
from api.purchasing import PurchaseOption
from workflows.state import FailedFallback

EVICTIONS_MAX: Final = 2
"""So often the spot machines of one option are bought again after they were taken back; then the others come first."""
TRY_NEXT: Final = frozenset(
    {
        "QuotaExceeded",
        "SkuNotAvailable",
        "AllocationFailed",
        "PoolFailed",
        "CloudRequestRefused",
        "PriceAboveLimit",
        "NodeNotJoined",
        "NodeWithoutGpu",
        "NodeLost",
        "SpotEvicted",
    }
)
"""Reasons that are about this way to get the nodes, and not about the Workspace."""


def option_of(plan: Plan) -> str:
    """How an option is called, for people and in records: `Standard_X`, `Standard_X as spot in zone 2`."""
    return str(PurchaseOption(plan.instance_type, plan.spot, ", ".join(plan.zones)))


def same_purchase(one: Plan, other: Plan) -> bool:
    """Whether a pool that was bought for the one serves the other: these things a pool keeps for life."""
    return one.terms == other.terms


def in_order(options: Sequence[Option], held: Plan | None, evictions: Mapping[str, int]) -> list[Option]:
    """The options of the newest plan, in the order in which they are to be tried."""
    found = list(options)
    if held is not None:
        found.sort(key=lambda option: not same_purchase(option.plan, held))
    return sorted(found, key=lambda option: evictions.get(option_of(option.plan), 0) > EVICTIONS_MAX)


def allows_fallback(option: Option, reason: str) -> bool:
    """Whether another way to get the nodes may help."""
    return option.refused is not None or reason in TRY_NEXT


def all_failed(tried: Sequence[FailedFallback]) -> ApplicationError:
    """The failure when nothing is left to try: the reason of what the user wanted most, and the words of all."""
    told = "; ".join(f"{one.option}: {one.message} [{one.reason}]" for one in tried)
    return failure(tried[0].reason, f"none of {len(tried)} ways to get the nodes works. {told}")
