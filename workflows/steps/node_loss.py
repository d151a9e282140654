"""Records lost nodes, and runs work that is restarted when a node is lost.

The activities of the work watch the nodes that are handed to them (`activities/nodes/losses.py`), and end when one is
lost. Then the nodes are provisioned again, and the work restarts, up to NODE_ATTEMPTS times in all. resync.py covers a
Workspace that is ready.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from temporalio.exceptions import ActivityError, ApplicationError

from activities.contract.failures import failure
from activities.contract.nodes import NodesHeld
from activities.contract.plan import Plan
from api.resource.status import Phase
from workflows.state import Resources
from workflows.status.reporter import StatusReporter
from workflows.steps.fallbacks import EVICTIONS_MAX, option_of
from workflows.steps.nodes import NODE_ATTEMPTS, loss_reason, provision

Result = TypeVar("Result")
_Work = Callable[[NodesHeld], Coroutine[Any, Any, Result]]


async def run_while_nodes_ready(reporter: StatusReporter, plan: Plan, work: _Work[Result]) -> Result:
    """Returns the result of `work`, restarting it after every node loss. Call when the nodes are ready; `work` hands
    them to its activities.

    Raises what `work` raises, what provisioning raises when nodes cannot be replaced, and ApplicationError NodeLost or
    SpotEvicted after NODE_ATTEMPTS losses.
    """
    for attempt in range(1, NODE_ATTEMPTS + 1):
        try:
            return await work(NodesHeld.of(plan, reporter.state.resources.nodes))
        except ActivityError as error:
            lost = lost_names(error)
            if lost is None:
                raise
        record_node_loss(reporter, plan, lost, Phase.PROVISIONING)
        if attempt < NODE_ATTEMPTS:
            await provision(reporter, plan)
    message = f"nodes were lost {NODE_ATTEMPTS} times in one pass: {reporter.state.resources.loss}"
    raise failure(loss_reason(plan), message)


def lost_names(error: ActivityError) -> list[str] | None:
    """The nodes whose loss ended an activity, None if something else ended it."""
    cause = error.cause
    if not isinstance(cause, ApplicationError) or cause.type != "NodeLost" or not cause.details:
        return None
    return [str(name) for name in cause.details[0]["names"]]


def record_node_loss(reporter: StatusReporter, plan: Plan, names: Sequence[str], phase: Phase) -> None:
    """Records and reports these nodes as lost. Spot evictions are counted, because Azure may keep evicting."""
    resources = reporter.state.resources
    resources.lost, resources.loss = True, _loss_message(resources, plan, ", ".join(names) or "a node")
    resources.nodes = [name for name in resources.nodes if name not in names]
    reporter.set_status(phase, loss_reason(plan), resources.loss)


def _loss_message(resources: Resources, plan: Plan, lost: str) -> str:
    if not plan.spot:
        return f"no longer ready: {lost}; it is replaced"
    option = option_of(plan)
    resources.evictions[option] = resources.evictions.get(option, 0) + 1
    count = f"eviction {resources.evictions[option]}; after more than {EVICTIONS_MAX} the other options come first"
    return f"no longer ready: {lost}. Azure can evict spot nodes at any time ({count})"
