"""Whether what runs is still what is wanted: the look at a Workspace that is ready when something near it changed."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities import signatures
from activities.contracts import HealthRequest
from api.status import Phase
from workflows.calling import call
from workflows.recording import Notebook


async def something_is_amiss(notebook: Notebook) -> bool:
    """True when another pass is needed. A look that fails changes nothing and is repeated at the next resync."""
    plan = notebook.state.plan
    if plan is None or notebook.state.paused or notebook.state.settled != "ready":
        return False
    try:
        wanted = await call(signatures.BUILD_PLAN, notebook.state.key, summary="resync: what is wanted now?")
        health = await call(signatures.READ_HEALTH, HealthRequest(plan=plan), summary="resync: what runs now?")
    except ActivityError as error:
        workflow.logger.warning("the resync could not look", extra={"cause": str(error.cause)})
        return False
    if len(health.ready_nodes) < plan.node_count:
        lost = ", ".join(sorted(set(notebook.state.nodes) - set(health.ready_nodes)))
        notebook.stand(Phase.NOT_READY, "NodeLost", f"no longer ready: {lost or 'a node'}; it is replaced")
        return True
    if wanted.digest != plan.digest or health.digest != plan.digest:
        return True
    return health.ready_pods < plan.node_count
