"""Detects drift of a settled Workspace: compares what runs with the spec, after a reported change and once an hour.

Also reads the Workspace itself, so that lost watch events are recovered.
"""

import asyncio
from datetime import timedelta
from typing import Literal

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.contract import signatures
from activities.contract.failures import class_of
from activities.contract.plan import Plan, WantedRequest
from activities.contract.serving import HealthRequest
from api import names
from api.reasons import FailureClass
from api.resource.status import Phase
from workflows import pausing
from workflows.activity_calls import call, is_cancelled, reason_and_message
from workflows.last_good import FailedEdit
from workflows.patches import LOOKS_ON, patched
from workflows.state import WorkspaceState, request_of
from workflows.status.reporter import StatusReporter
from workflows.steps import cleanup
from workflows.steps.node_loss import record_node_loss

Drift = Literal["none", "wanted", "served"]
"""What must be brought about: nothing, what is wanted now, or what serves instead of an edit that has failed."""
RESYNC = timedelta(hours=1)
"""Interval of drift checks without any message, at most."""
EARLIER_SHARE = 0.2
"""Workspaces that began together look at different times: each has its own interval, by up to this share shorter."""


def interval_of(uid: str) -> timedelta:
    """How long the Workspace of this uid rests between two looks; the same on every worker and in every replay."""
    return RESYNC * (1 - EARLIER_SHARE * names.share_of(uid))


async def drift_of(reporter: StatusReporter) -> Drift:
    """Returns what another pass must bring about. A failed check changes nothing and is repeated at the next resync."""
    state = reporter.state
    try:
        if state.status.settled == "failed" and state.resources.to_release:
            await _release_again(reporter)
        plan = state.spec.plan
        if plan is None or plan.kind == "tuning" or state.control.resting or state.status.settled != "ready":
            await _read_workspace(reporter)
            return "none"
        return await _detect_drift(reporter, plan)
    except ActivityError as error:
        if is_cancelled(error):
            raise asyncio.CancelledError from None
        reason, message = reason_and_message(error)
        reporter.gone = reporter.gone or reason == "WorkspaceGone"
        workflow.logger.warning("the resync failed; the next one repeats it", extra={"cause": message})
        return "none"


async def _release_again(reporter: StatusReporter) -> None:
    """Releases what could not be released when the pass failed. A retry, an edit or a delete does so, too."""
    status = reporter.state.status
    message, _, _ = status.message.partition(cleanup.STILL_HELD)
    left = await cleanup.release_all(reporter)
    reporter.set_status(status.phase, status.reason, message + left)


async def _read_workspace(reporter: StatusReporter) -> None:
    """Reads the Workspace to find a delete, an edit or a disappearance of which no message arrived."""
    state = reporter.state
    found = await call(signatures.READ_WORKSPACE, state.key, summary="Resync: read the Workspace")
    if found.uid != state.key.uid:
        reporter.vanish()
        return
    state.spec.deleting = state.spec.deleting or found.deleting
    state.spec.desired = max(state.spec.desired, found.generation)
    pausing.apply_annotation(state.control, found.paused)
    reporter.mark_dirty()


async def _detect_drift(reporter: StatusReporter, plan: Plan) -> Drift:
    state, failed = reporter.state, reporter.state.spec.failed
    # Planning needs existing nodes; a byo Workspace may have lost all of them, so node health is checked first.
    first = await _wanted_digest(state, plan) if plan.provider != "byo" else None
    request = HealthRequest(
        workspace=plan.key,
        provider=plan.provider,
        digest=plan.digest,
        gpus_per_node=plan.gpus_per_node,
        gpu_resource=plan.gpu_resource,
        steady=plan.kind == "template",
        unready=plan.deadlines.unready,
    )
    health = await call(signatures.READ_HEALTH, request, summary="Resync: read the health of nodes and pods")
    if len(health.ready_nodes) < plan.node_count:
        record_node_loss(reporter, plan, sorted(set(state.resources.nodes) - set(health.ready_nodes)), Phase.NOT_READY)
        if not health.ready_nodes:
            state.status.settled = "nothing"  # a pass that fails from here on must not count as one without effect
        return "served" if failed else "wanted"
    wanted = await _wanted_digest(state, plan) if first is None else first
    reporter.mark_dirty()  # refreshes the cost in the status
    broken = health.digest != plan.digest or health.ready_pods < plan.node_count
    if failed is None:
        return "wanted" if broken or wanted != plan.digest else "none"
    if broken:
        return "served"
    return "wanted" if tries_again(failed, wanted) else "none"


def tries_again(failed: FailedEdit, wanted: str) -> bool:
    """Whether what is wanted is worth another pass although an edit has failed: something else than failed is wanted
    by now, or trying it costs nothing. `wanted`: its digest, "" if it cannot be planned."""
    return bool(wanted) and (failed.refused or wanted != failed.digest)


async def _wanted_digest(state: WorkspaceState, plan: Plan) -> str:
    """The digest of what is wanted now; "" if that is refused, as a ConfigMap may be that has changed since, or if an
    edit has failed and what is wanted cannot be planned either: what serves is looked after all the same. Raises
    ActivityError if there is nothing to look after, or nothing has failed and this may pass by itself."""
    request = WantedRequest(**request_of(state).model_dump(), terms=plan.terms)
    try:
        return (await call(signatures.READ_WANTED, request, summary="Resync: compute the wanted digest")).digest
    except ActivityError as error:
        reason = reason_and_message(error)[0]
        if is_cancelled(error) or reason == "WorkspaceGone":
            raise
        if state.spec.failed is None and not (class_of(reason) is FailureClass.FAIL and patched(LOOKS_ON)):
            raise
        return ""
