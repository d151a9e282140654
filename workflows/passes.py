"""One pass: the newest generation is carried out, and its outcome settled, whatever it is.

First of all, no harm: an edit that is refused leaves what serves alone, and one that fails is answered with what served
before it (`restoring.py`), on the same nodes. Only where nothing has served, or cannot serve any more, is everything
released that is recorded as held. When a pass begins, and what supersedes it, is `workspace.py`'s.
"""

import asyncio
from collections.abc import Sequence

from temporalio.exceptions import FailureError

from api.resource.status import Phase, Step
from workflows import restoring, tuning
from workflows.activity_calls import await_uncancelled, is_cancelled, reason_and_message
from workflows.generation import run_generation
from workflows.last_good import FailedEdit, Good, name_of
from workflows.patches import LAST_GOOD, patched
from workflows.state import StepRecord, WorkspaceState
from workflows.status.reporter import StatusReporter
from workflows.steps import cleanup

WITHOUT_EFFECT = (Step.SIZE, Step.PREFLIGHT, Step.PREPARE_MODEL)
"""Steps without side effects: a pass that failed in one of these has changed nothing."""


async def run_pass(reporter: StatusReporter, *, restore: bool = False) -> None:
    """Carries out the newest generation or, with `restore`, what serves instead of it, and settles the outcome. Raises
    CancelledError; what is held then stays recorded."""
    spec, status = reporter.state.spec, reporter.state.status
    generation, was_ready = spec.desired, status.settled == "ready"
    status.steps.clear()
    status.settled, status.attempt = "nothing", ""
    try:
        await (restoring.restore(reporter) if restore else run_generation(reporter))
    except BaseException as error:
        if is_cancelled(error):
            _settle_cancelled(reporter.state, was_ready=was_ready)
            raise asyncio.CancelledError from None
        if not isinstance(error, FailureError):
            raise  # a bug in workflow code: the workflow task fails and waits for a fixed worker
        if restore:
            await _give_up(reporter, _not_put_back(reporter.state, error))
            return
        spec.observed = max(spec.observed, generation)
        await _settle_failed(reporter, *reason_and_message(error), was_ready=was_ready)
        return
    if restore:
        _settle_restored(reporter)
        return
    _settle_ready(reporter)


def remember(state: WorkspaceState) -> None:
    """Records what the Workspace has come to as the last good one."""
    spec, published = state.spec, state.resources.run.published
    if spec.plan is not None:
        spec.good = Good(plan=spec.plan, report=spec.report, pinned=spec.pinned, published=published)
    spec.failed = None


def remember_older(state: WorkspaceState) -> None:
    """As `remember`, for a state that a release without it has left behind, if what it planned is what serves."""
    if state.spec.good is None and (state.status.settled, state.status.reason) == ("ready", "workspaceSucceeded"):
        remember(state)


def _settle_ready(reporter: StatusReporter) -> None:
    spec, status = reporter.state.spec, reporter.state.status
    status.settled = "ready"
    remember(reporter.state)
    if spec.plan and spec.plan.kind == "tuning":
        reporter.set_status(Phase.SUCCEEDED, "workspaceSucceeded", tuning.outcome(reporter, spec.plan))
        return
    message = f"serving {spec.plan.description}" if spec.plan else "serving"
    reporter.set_status(Phase.READY, "workspaceSucceeded", message)


def _settle_cancelled(state: WorkspaceState, *, was_ready: bool) -> None:
    unchanged = was_ready and _without_effect(state.status.steps)
    state.status.settled = "ready" if unchanged else "nothing"
    if unchanged and state.spec.good is not None and patched(LAST_GOOD):
        state.spec.go_back()  # the plan that was decided is nobody's


async def _settle_failed(reporter: StatusReporter, reason: str, message: str, *, was_ready: bool) -> None:
    state, spec = reporter.state, reporter.state.spec
    if reason == "WorkspaceGone":
        reporter.gone = True
        return
    unchanged = was_ready and _without_effect(state.status.steps)
    at_stake = spec.good is not None and spec.good.plan.kind != "tuning" and patched(LAST_GOOD)
    edit = FailedEdit(generation=spec.observed, digest=state.status.attempt, reason=reason, message=message)
    goes_back = at_stake and restoring.can_go_back(state, reason)
    if unchanged and not (goes_back and state.resources.lost):
        refused = edit.model_copy(update={"refused": True})
        said = refused.verdict
        if at_stake:
            spec.failed = refused
            spec.go_back()
            said = restoring.outcome(spec)
        state.status.settled = "ready"
        phase = Phase.SUCCEEDED if spec.plan and spec.plan.kind == "tuning" else Phase.READY
        reporter.set_status(phase, reason, said)
    elif goes_back:
        spec.failed = edit
        await _go_back(reporter)
    else:
        await _give_up(reporter, (reason, message))


async def _go_back(reporter: StatusReporter) -> None:
    """Answers a failed edit with what served before it. Raises CancelledError: a newer edit goes before."""
    spec = reporter.state.spec
    assert spec.failed is not None and spec.good is not None
    message = f"{spec.failed.verdict}; putting {name_of(spec.good, spec.failed)} back"
    reporter.set_status(Phase.DEPLOYING, spec.failed.reason, message)
    try:
        await restoring.restore(reporter)
    except BaseException as error:
        if is_cancelled(error):
            raise asyncio.CancelledError from None
        if not isinstance(error, FailureError):
            raise
        await _give_up(reporter, _not_put_back(reporter.state, error))
        return
    _settle_restored(reporter)


def _settle_restored(reporter: StatusReporter) -> None:
    spec = reporter.state.spec
    assert spec.failed is not None
    reporter.state.status.settled = "ready"
    reporter.set_status(Phase.READY, spec.failed.reason, restoring.outcome(spec))


def _not_put_back(state: WorkspaceState, error: FailureError) -> tuple[str, str]:
    """Reason and message when what served before does not serve any more."""
    spec = state.spec
    assert spec.failed is not None and spec.good is not None
    name, (_, cause) = name_of(spec.good, spec.failed), reason_and_message(error)
    return spec.failed.reason, f"{spec.failed.verdict}; {name} could not be put back: {cause}"


async def _give_up(reporter: StatusReporter, why: tuple[str, str]) -> None:
    """Releases what is held, whatever comes meanwhile, and says why."""
    settling = asyncio.create_task(_release(reporter, *why))
    await await_uncancelled(settling)
    await settling


async def _release(reporter: StatusReporter, reason: str, message: str) -> None:
    state = reporter.state
    published = state.spec.good.published if state.spec.good else None
    if published is None:
        state.spec.good = state.spec.failed = None  # nothing of it is left
    elif state.spec.good is not None and state.resources.run.published != published:
        where = published.pinned or published.image
        message += f"; the adapter of generation {state.spec.good.plan.generation} is still at {where}"
    if state.resources.to_release:
        reporter.set_status(Phase.NOT_READY, "Releasing", f"{message}; releasing what was bought")
        message += await cleanup.release_all(reporter)
    state.status.settled = "failed"
    reporter.set_status(Phase.CONTROLLER_ERROR if reason == "ControllerError" else Phase.FAILED, reason, message)


def _without_effect(steps: Sequence[StepRecord]) -> bool:
    return all(record.step in WITHOUT_EFFECT for record in steps)
