"""Waits for nodes of the user's own that have no labels yet, with the words and the deadline in the status.

`Size` needs a node to plan for. Without one it ends at once, and this waits, until a node is labelled or the deadline
passes; then `generation.py` plans again. A running Workspace does not wait: an edit without a node is refused.
"""

from datetime import timedelta

from temporalio.exceptions import ActivityError, ApplicationError

from activities.contract import signatures
from activities.contract.plan import LONGEST_DEADLINE_S
from api.resource.status import Phase, Step
from workflows.activity_calls import call, is_cancelled, reason_and_message
from workflows.patches import OWN_NODES_ARE_WAITED_FOR, patched
from workflows.state import request_of
from workflows.status.reporter import StatusReporter


def may_wait(reporter: StatusReporter, error: ActivityError) -> bool:
    """Whether this failure of `Size` passes when a node is labelled."""
    if is_cancelled(error) or reporter.state.resources.nodes_are_there:
        return False
    reason, _ = reason_and_message(error)
    return reason == "NoMatchingNodes" and _seconds(error) > 0 and patched(OWN_NODES_ARE_WAITED_FOR)


async def wait_for_label(reporter: StatusReporter, error: ActivityError) -> None:
    """Returns when a node has what the failure says is lacking. Raises ActivityError with NoMatchingNodes at the
    deadline `provision`."""
    reason, message = reason_and_message(error)
    given = reporter.state.control.extra_time.get("provision")
    seconds = min(given or _seconds(error), LONGEST_DEADLINE_S)
    words = f"{message}. The Workspace goes on by itself when a node has them"
    reporter.set_status(Phase.PREFLIGHT, reason, words, wait=timedelta(seconds=seconds))
    with reporter.step(Step.PREFLIGHT):
        await call(
            signatures.WAIT_FOR_OWN_NODES,
            request_of(reporter.state),
            summary="Preflight: wait for a node with the Workspace's labels",
            deadline_s=seconds,
        )


def _seconds(error: ActivityError) -> int:
    """For how long the planner says that nodes may be waited for; 0 if it does not say."""
    cause = error.cause
    facts = cause.details[0] if isinstance(cause, ApplicationError) and cause.details else {}
    found = facts.get("wait_s", 0) if isinstance(facts, dict) else 0
    return found if isinstance(found, int) else 0
