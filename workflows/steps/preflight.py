"""Runs all preflight checks concurrently before money is spent; each check has its own result.

All failures are reported together: after the first, the other checks get GRACE to finish, and those still running are
then `unknown`. Three activities run the checks: the provider's for nodes, one for everything else, and PrepareModel,
which also pins the model's commit.
"""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

from activities.contract import signatures
from activities.contract.failures import class_of, failure
from activities.contract.models import ModelRequest, PinnedModel
from activities.contract.plan import Check, Plan, Preflight
from activities.contract.policies import OFFER_DEADLINE
from activities.contract.providers import STEPS
from activities.contract.signatures import Signature
from api.preflight import PROVIDER_CHECKS, WORKLOAD_CHECKS, CheckName, place_of
from api.reasons import FailureClass
from api.resource.status import Phase, Step
from workflows.activity_calls import call, call_locally, is_cancelled, reason_and_message, stop
from workflows.status.reporter import StatusReporter

GRACE = timedelta(seconds=20)
"""How long the other checks may take after the first failure; short, because the user waits for a known refusal."""
ALREADY_THERE: Final = "the nodes are already there"
_PASSING = (FailureClass.WAIT, FailureClass.RETRY)


async def check(reporter: StatusReporter, plan: Plan, *, nothing_to_buy: bool = False) -> PinnedModel | None:
    """Returns the pinned model, None without a model. `nothing_to_buy` skips the provider's checks.

    Raises ApplicationError with the reason of the first failed check and the messages of all; ActivityError if the
    finalizer cannot be added.
    """
    reporter.set_status(Phase.PREFLIGHT, "Preflight", f"checking quota, machine and model for {plan.description}")
    reporter.state.status.checks = []
    work = [
        _nodes_are_there(reporter, plan) if nothing_to_buy else _nodes(reporter, plan),
        _model(reporter, plan),
        _workload(reporter, plan),
        _protect(reporter, plan),
    ]
    _, pinned, _, _ = await _gather_all(reporter, work)
    reporter.state.spec.pinned = pinned
    await _gpus_offered(reporter, plan, nothing_to_buy=nothing_to_buy)
    return pinned  # type: ignore[no-any-return]


async def check_again(reporter: StatusReporter, plan: Plan) -> None:
    """Runs only the workload checks, for a pass that buys nothing more. Raises like `check`."""
    reporter.set_status(Phase.PREFLIGHT, "Preflight", f"checking the destination of the adapter of {plan.preset}")
    with reporter.step(Step.PREFLIGHT):
        reporter.state.status.checks = []
        await _workload(reporter, plan)


async def _gather_all(reporter: StatusReporter, work: list[Any]) -> list[Any]:
    """Returns all results. After a failure, waits GRACE for the rest and raises one error for all failures."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        _, late = await workflow.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        if late:
            _, late = await workflow.wait(late, timeout=GRACE.total_seconds())
    except GeneratorExit:  # the worker evicted the workflow: this coroutine is being collected and must not await
        raise
    except BaseException:
        await stop(tasks)
        raise
    await stop(late)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException) and not is_cancelled(result)]
    for error in errors:
        if not isinstance(error, FailureError) or isinstance(error, ActivityError):
            raise error  # a bug in workflow code, or the finalizer could not be added: nothing may be bought without it
    if errors:
        raise refusal(reporter.state.status.checks)
    return results


async def _protect(reporter: StatusReporter, plan: Plan) -> None:
    """Adds the finalizer unless it was there when the generation was planned."""
    if not reporter.state.resources.protected:
        summary = "Preflight: add the finalizer before anything is bought"
        await call_locally(signatures.ENSURE_FINALIZER, plan.key, summary=summary)


async def _nodes(reporter: StatusReporter, plan: Plan) -> None:
    with reporter.step(Step.PREFLIGHT):
        summary = f"Preflight: check whether {plan.nodes_description} can be provisioned"
        await _checked(reporter, STEPS[plan.provider].check, plan, summary, PROVIDER_CHECKS[plan.provider])


async def _gpus_offered(reporter: StatusReporter, plan: Plan, *, nothing_to_buy: bool) -> None:
    """Waits for a device plugin where none would offer GPUs, unless the nodes are there already."""
    found = [check for check in reporter.state.status.checks if check.name == CheckName.GPUS_OFFERED]
    if not any(check.reason == "GpusNotOffered" for check in found):
        return
    if nothing_to_buy or reporter.state.resources.holds("node_pool"):
        offered = Check(name=CheckName.GPUS_OFFERED, outcome="passed", message=ALREADY_THERE)
    else:
        reporter.set_status(Phase.PREFLIGHT, found[0].reason, found[0].message, wait=OFFER_DEADLINE)
        with reporter.step(Step.PREFLIGHT):
            offered = await call(
                signatures.WAIT_FOR_GPUS_OFFERED,
                plan,
                summary="Preflight: wait for a device plugin that would offer GPUs",
            )
    reporter.state.status.checks = [check for check in reporter.state.status.checks if check not in found]
    _record(reporter, [offered])


async def _nodes_are_there(reporter: StatusReporter, plan: Plan) -> None:
    """Records the provider's checks as passed: an edit of a serving Workspace does not depend on quota."""
    with reporter.step(Step.PREFLIGHT):
        names = PROVIDER_CHECKS[plan.provider]
        _record(reporter, [Check(name=name, outcome="passed", message=ALREADY_THERE) for name in names])


async def _workload(reporter: StatusReporter, plan: Plan) -> None:
    summary = f"Preflight: check price, images and storage of {plan.preset}"
    await _checked(reporter, signatures.READ_WORKLOAD_PREFLIGHT, plan, summary, WORKLOAD_CHECKS)


async def _checked(
    reporter: StatusReporter,
    signature: Signature[Plan, Preflight],
    plan: Plan,
    summary: str,
    names: Iterable[CheckName],
) -> None:
    """Records the results of one activity; a failure of the activity is the result of all its checks."""
    try:
        found = (await call(signature, plan, summary=summary)).checks
    except ActivityError as error:
        if is_cancelled(error):
            _record(reporter, [_unfinished(name) for name in names])
            raise
        found = [_of_failure(name, error) for name in names]
    _record(reporter, found)
    if failed := [check for check in found if check.outcome == "failed"]:
        raise refusal(failed)


async def _model(reporter: StatusReporter, plan: Plan) -> PinnedModel | None:
    if plan.kind not in ("preset", "tuning"):
        return None
    name = CheckName.MODEL_READABLE
    request = ModelRequest(
        workspace=plan.key, model=plan.model, revision=plan.requested_revision, access_secret=plan.access_secret
    )
    with reporter.step(Step.PREPARE_MODEL):
        try:
            pinned = await call(
                signatures.READ_MODEL_REVISION,
                request,
                summary=f"PrepareModel: pin the commit of {plan.model}",
                deadline_s=plan.deadlines.model,
            )
        except ActivityError as error:
            if is_cancelled(error):
                _record(reporter, [_unfinished(name)])
                raise
            reason, message = reason_and_message(error)
            failed = Check(name=name, outcome="failed", reason=reason, message=message)
            _record(reporter, [failed])
            raise refusal([failed]) from error
        _record(reporter, [Check(name=name, outcome="passed", message=f"{pinned.model} at {pinned.revision[:12]}")])
        return pinned


def _record(reporter: StatusReporter, found: Iterable[Check]) -> None:
    checks = [*reporter.state.status.checks, *found]
    reporter.state.status.checks = sorted(checks, key=lambda check: place_of(check.name))
    reporter.mark_dirty()


def _unfinished(name: CheckName) -> Check:
    return Check(name=name, outcome="unknown", message="cancelled before it had a result")


def _of_failure(name: CheckName, error: ActivityError) -> Check:
    """Result of a check that could not run: transient errors leave it `unknown`; anything else fails it."""
    reason, message = reason_and_message(error)
    passing = class_of(reason) in _PASSING or reason == "DeadlineExceeded"
    return Check(name=name, outcome="unknown" if passing else "failed", reason=reason, message=message)


def refusal(checks: Iterable[Check]) -> ApplicationError:
    """Returns the failure of a pass: the reason of the first failed check, and the messages of all of them."""
    failed = [check for check in checks if check.outcome == "failed"]
    messages = list(dict.fromkeys(check.message for check in failed))
    if len(messages) > 1:
        messages = [f"{check.name}: {check.message}" for check in failed]
    return failure(failed[0].reason, "; ".join(messages))
