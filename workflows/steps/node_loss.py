"""Records lost nodes, and runs work that is restarted when a node is lost.

A watch of the nodes runs concurrently with the work. When a node is lost, the work is cancelled, the nodes are
provisioned again, and the work restarts, up to NODE_ATTEMPTS times in all. resync.py covers a Workspace that is ready.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.nodes import NodesHeld, NodesLost
from activities.contract.plan import Plan
from api.resource.status import Phase
from workflows.activity_calls import call, is_cancelled, reason_and_message, stop
from workflows.state import Resources
from workflows.status.reporter import StatusReporter
from workflows.steps.fallbacks import EVICTIONS_MAX, option_of
from workflows.steps.nodes import NODE_ATTEMPTS, loss_reason, provision

WATCH_AGAIN: Final = timedelta(minutes=1)

Result = TypeVar("Result")


async def run_while_nodes_ready(
    reporter: StatusReporter, plan: Plan, work: Callable[[], Coroutine[Any, Any, Result]]
) -> Result:
    """Returns the result of `work`, restarting it after every node loss. Call when the nodes are ready.

    Raises what `work` raises, what provisioning raises when nodes cannot be replaced, and ApplicationError NodeLost or
    SpotEvicted after NODE_ATTEMPTS losses.
    """
    for attempt in range(1, NODE_ATTEMPTS + 1):
        result, lost = await _until_one_ends(work(), _loss(reporter, plan))
        if lost is None:
            return result  # type: ignore[return-value]
        record_node_loss(reporter, plan, lost.names, Phase.PROVISIONING)
        if attempt < NODE_ATTEMPTS:
            await provision(reporter, plan)
    message = f"nodes were lost {NODE_ATTEMPTS} times in one pass: {reporter.state.resources.loss}"
    raise failure(loss_reason(plan), message)


async def _until_one_ends(
    work: Coroutine[Any, Any, Result], loss: Coroutine[Any, Any, NodesLost]
) -> tuple[Result | None, NodesLost | None]:
    """Returns the work's result or the node loss that stopped it. Raises what the work raised if no node was lost."""
    tasks: list[asyncio.Task[Any]] = [asyncio.create_task(work), asyncio.create_task(loss)]
    try:
        await workflow.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    except GeneratorExit:  # the worker evicted the workflow: this coroutine is being collected and must not await
        raise
    except BaseException:
        await stop(tasks)
        raise
    await stop(tasks)
    result, lost = await asyncio.gather(*tasks, return_exceptions=True)
    if not isinstance(result, BaseException):
        return result, None
    explained = is_cancelled(result) or isinstance(result, FailureError)
    if isinstance(lost, NodesLost) and explained:
        return None, lost
    raise result


async def _loss(reporter: StatusReporter, plan: Plan) -> NodesLost:
    """Returns the next loss. A failed watch does not stop the work; it is restarted after WATCH_AGAIN."""
    held = NodesHeld(plan=plan, names=reporter.state.resources.nodes)
    while True:
        try:
            summary = f"Watch {len(held.names)} nodes until one is lost or the work ends"
            return await call(signatures.WAIT_FOR_NODE_LOSS, held, summary=summary)
        except ActivityError as error:
            if is_cancelled(error):
                raise
            workflow.logger.warning("the nodes could not be watched", extra={"cause": reason_and_message(error)[1]})
            await asyncio.sleep(WATCH_AGAIN.total_seconds())


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
