"""What the nodes that are there are to a plan: they do as they are, they are bought for it, or they must go first.

`generation.py` asks for a newer plan, `restoring.py` for the one that has served before.
"""

from typing import Literal

from activities.contract.plan import Plan
from workflows.status.reporter import StatusReporter
from workflows.steps.cleanup import release_everything_held
from workflows.steps.fallbacks import same_nodes, same_purchase

NodesThere = Literal["none", "bought", "as they are"]
"""What is there of a plan's nodes: nothing, all that has to be bought, or nodes that need no change either."""


def nodes_there(reporter: StatusReporter, plan: Plan) -> NodesThere:
    """What the nodes that an earlier pass bought are to this plan."""
    held = reporter.state.spec.plan
    if held is None or not reporter.state.resources.nodes_are_there:
        return "none"
    if reporter.state.resources.nodes and same_nodes(held, plan):
        return "as they are"
    return "bought" if same_purchase(held, plan) and held.node_count == plan.node_count else "none"


def must_go_first(reporter: StatusReporter, plan: Plan) -> bool:
    """Whether what is held stands in the plan's way: machine type, zone and capacity type of a pool are immutable."""
    held = reporter.state.spec.plan
    return held is not None and not same_purchase(held, plan) and bool(reporter.state.resources.holdings)


async def release_unless_reusable(reporter: StatusReporter, plan: Plan) -> None:
    """Releases everything held before buying if the plan needs another pool."""
    if must_go_first(reporter, plan):
        await release_everything_held(reporter)
