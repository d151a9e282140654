"""Puts back what has served last, after an edit that failed: the same plan, and the workload as it was kept.

On the nodes that are there, if they fit; nodes of another machine are released, and the old kind is bought again, of
the option that served and no other. Nothing is checked beforehand: it has served. What becomes of a pass whose putting
back fails too is `passes.py`'s to decide, and what a workload is kept as `activities/serving/kept.py`'s.
"""

from api.resource.status import Step
from workflows.activity_calls import gather_or_cancel
from workflows.last_good import name_of
from workflows.serving import await_serving, deploy
from workflows.state import Spec, WorkspaceState
from workflows.status.reporter import StatusReporter
from workflows.steps.node_loss import run_while_nodes_ready
from workflows.steps.nodes import provision
from workflows.steps.reuse import nodes_there, release_unless_reusable


def can_go_back(state: WorkspaceState, reason: str) -> bool:
    """Whether what served last is something else than what has just failed. A training has no way back: its nodes are
    released in any case, and what it published stays in the registry. Nor has a generation whose own nodes did not come
    back in time: they would be waited for once more."""
    good, plan = state.spec.good, state.spec.plan
    if good is None or "tuning" in (good.plan.kind, plan.kind if plan else ""):
        return False
    if reason == "NoMatchingNodes" and state.spec.observed == good.plan.generation:
        return False
    return state.status.attempt != good.plan.digest


def outcome(spec: Spec) -> str:
    """The status of a Workspace whose newest generation is not what serves. A refused one says so by itself, unless
    what serves is of the same generation."""
    assert spec.failed is not None and spec.good is not None
    said, same = spec.failed.verdict, spec.failed.generation == spec.good.plan.generation
    return said if spec.failed.refused and not same else f"{said}; {name_of(spec.good, spec.failed)} serves"


async def restore(reporter: StatusReporter) -> None:
    """Brings what served last to serve again. Raises ActivityError or ApplicationError with the reason for a
    failure."""
    spec = reporter.state.spec
    good, failed = spec.good, spec.failed
    assert good is not None and failed is not None
    plan, nodes = good.plan, nodes_there(reporter, good.plan)
    await release_unless_reusable(reporter, plan)
    spec.go_back()
    putting_back = deploy(reporter, plan, good.pinned, restoring=Step.RESTORE)
    if nodes == "as they are":
        await putting_back
    else:
        await gather_or_cancel(provision(reporter, plan), putting_back)
    said = (failed.reason, f"{failed.verdict}; putting {name_of(good, failed)} back: ")
    await run_while_nodes_ready(reporter, plan, lambda held: await_serving(reporter, plan, held, said))
