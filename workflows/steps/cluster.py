"""Waits with a purchase or a release while the AKS cluster takes no changes: it is stopped, or being upgraded.

The activity that would write fails at once, so that the status says what is waited for; another one returns when the
cluster takes changes again (`activities/nodes/aks/cluster_state.py`), and the first is called anew, with all of its
time. What the cluster stood still is not billed.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from activities.contract import signatures
from activities.contract.policies import AWAY_MAX
from activities.contract.sweep import SweepScope
from workflows.activity_calls import call
from workflows.state import WorkspaceState
from workflows.status.reporter import StatusReporter
from workflows.steps.fallbacks import option_of

Result = TypeVar("Result")
STOPPED: Final = "ClusterStopped"
WAITED_FOR: Final = (STOPPED, "ClusterUpgrading")


async def when_changeable(reporter: StatusReporter, work: Callable[[bool], Coroutine[Any, Any, Result]]) -> Result:
    """Returns the result of `work`, which is called again after each wait for the cluster; it is told whether there was
    one. Raises what `work` raises otherwise."""
    waited = False
    while True:
        try:
            return await work(waited)
        except ActivityError as error:
            cause = error.cause
            if not isinstance(cause, ApplicationError) or cause.type not in WAITED_FOR:
                raise
        if not waited and cause.type == STOPPED:
            _forgive_eviction(reporter.state)
        await _until_changeable(reporter, cause.type, cause.message)
        waited = True


def _forgive_eviction(state: WorkspaceState) -> None:
    """A spot node that went with its cluster was not evicted."""
    plan, evictions = state.spec.plan, state.resources.evictions
    if plan is not None and plan.spot and state.resources.lost and evictions.get(option_of(plan)):
        evictions[option_of(plan)] -= 1


async def _until_changeable(reporter: StatusReporter, reason: str, message: str) -> None:
    """Shows what is waited for, without a deadline, and afterwards what was shown before, with the time it had left."""
    status, began = reporter.state.status, workflow.now()
    before = (status.phase, status.reason, status.message)
    left = status.deadline - began if status.deadline else None
    reporter.set_status(status.phase, reason, message)
    await call(
        signatures.READ_OWNED_POOLS,
        SweepScope(when_changeable=True),
        summary=f"Wait: {message}",
        deadline_s=int(AWAY_MAX.total_seconds()),
    )
    if reason == STOPPED:
        reporter.state.resources.ledger.note_stop(began, workflow.now())
    if (status.reason, status.message) == (reason, message):
        reporter.set_status(*before, wait=left)
