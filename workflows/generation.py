"""Reconciles one generation of a Workspace: plans it, then tries its options in order until one succeeds.

`serving.py` and `tuning.py` carry out one option. This module does not compensate for a failed pass: `passes.py` puts
back what served before, or releases the resources that are recorded as held.
"""

from temporalio.exceptions import ActivityError, FailureError

from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.plan import LONGEST_DEADLINE_S, Option, Planned
from api.resource.status import Phase, Step
from workflows.activity_calls import call, is_cancelled, reason_and_message
from workflows.patches import LAST_GOOD, patched
from workflows.serving import serve
from workflows.state import FailedFallback, request_of
from workflows.status.reporter import StatusReporter
from workflows.steps.cleanup import release_nodes
from workflows.steps.fallbacks import all_failed, allows_fallback, in_order, option_of, same_purchase
from workflows.steps.own_nodes import may_wait, wait_for_label
from workflows.steps.preflight import check
from workflows.steps.reuse import must_go_first, nodes_there, release_unless_reusable
from workflows.tuning import tune


async def run_generation(reporter: StatusReporter) -> None:
    """Carries out the newest generation: returns once the model is served or the adapter is published. Raises
    ActivityError or ApplicationError with the reason for a failure."""
    planned, state = await _size(reporter), reporter.state
    held = state.spec.plan if state.resources.holds("node_pool") else None
    options = in_order(planned, held, state.resources.evictions)
    if held and state.resources.nodes_are_there and same_purchase(options[0].plan, held):
        options = options[:1]  # an edit that cannot be carried out must not take down a serving workload
    state.status.tried = []
    for option, following in zip(options, [*options[1:], None], strict=True):
        try:
            return await _run_option(reporter, option)
        except FailureError as error:
            reason, message = reason_and_message(error)
            if is_cancelled(error) or len(options) == 1 or not allows_fallback(option, reason):
                raise
            state.status.tried.append(FailedFallback(option=option_of(option.plan), reason=reason, message=message))
        if following is None:
            raise all_failed(state.status.tried)
        await _try_next(reporter, option, following)


async def _run_option(reporter: StatusReporter, option: Option) -> None:
    if option.refused is not None:
        raise failure(option.refused.reason, option.refused.message)
    plan = option.plan
    reporter.state.status.attempt = plan.digest
    nodes = nodes_there(reporter, plan)
    if must_go_first(reporter, plan) and reporter.state.spec.good is not None and patched(LAST_GOOD):
        await check(reporter, plan)  # what can be known is known before what serves is released for it
    await release_unless_reusable(reporter, plan)
    reporter.state.spec.decide(option)
    if plan.kind == "tuning":
        return await tune(reporter, plan)
    await serve(reporter, plan, nodes)


async def _try_next(reporter: StatusReporter, failed: Option, following: Option) -> None:
    """Releases the nodes bought for the failed option. The workload stays; applying the next option updates it. Nodes
    of a plan that serves stay, too: nothing was bought for an option that its checks have refused."""
    state, last = reporter.state, reporter.state.status.tried[-1]
    message = f"{last.option}: {last.message}; trying {option_of(following.plan)} next"
    reporter.set_status(Phase.PROVISIONING, last.reason, message)
    if state.spec.plan is not None and not same_purchase(state.spec.plan, failed.plan):
        return
    if state.resources.holds("node_pool"):
        await release_nodes(reporter)
    if following.refused is None:
        state.spec.decide(following)


async def _size(reporter: StatusReporter) -> list[Option]:
    """Returns every purchase option of the newest generation, in the user's order."""
    spec = reporter.state.spec
    planned = await _planned(reporter)
    generation = planned.first.plan.generation
    if spec.plan is None or spec.plan.generation != generation:
        reporter.state.resources.evictions = {}
    spec.observed = spec.desired = max(generation, spec.desired)
    reporter.state.resources.protected = planned.protected
    return [_with_deadlines(option, reporter.state.control.extra_time) for option in planned.options]


async def _planned(reporter: StatusReporter) -> Planned:
    while True:
        request, desired = request_of(reporter.state), reporter.state.spec.desired
        try:
            with reporter.step(Step.SIZE):
                return await call(signatures.BUILD_PLAN, request, summary=f"Size: plan generation {desired}")
        except ActivityError as error:
            if not may_wait(reporter, error):
                raise
            lacking = error
        await wait_for_label(reporter, lacking)


def _with_deadlines(option: Option, extra_time: dict[str, int]) -> Option:
    # An older release recorded whatever was asked for, and a date that does not exist stops the workflow.
    given = {name: min(seconds, LONGEST_DEADLINE_S) for name, seconds in extra_time.items()}
    deadlines = option.plan.deadlines.model_copy(update=given)
    return option.model_copy(update={"plan": option.plan.model_copy(update={"deadlines": deadlines})})
