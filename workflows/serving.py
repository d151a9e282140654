"""One generation of an inference Workspace, from its plan to the first verified completion.

Reads like the runbook: what can be known for nothing comes first, then nodes are bought while the workload is
created, then both are waited for. Nothing is undone here; the entity compensates by what is recorded as held.
"""

from datetime import timedelta

from temporalio.exceptions import FailureError

from activities import signatures
from activities.contracts import PinnedModel, Plan, ServingRequest, VerifyRequest, WorkloadRequest
from activities.failures import failure
from activities.plan_contracts import Option
from api import names
from api.status import Phase, Step
from workflows.calling import call, is_cancelled, reason_and_message, side_by_side
from workflows.checking import check
from workflows.fallbacks import exhausted, in_order, moves_on, option_of, same_purchase
from workflows.losses import while_nodes_last
from workflows.provisioning import provision
from workflows.recording import Notebook
from workflows.releasing import release_everything_held, release_nodes
from workflows.state import Holding, Tried, request_of
from workflows.tuning import tune


async def serve(notebook: Notebook) -> None:
    """Brings the newest generation to Ready. Raises ActivityError or ApplicationError with the reason it cannot."""
    planned, state = await _size(notebook), notebook.state
    held = state.spec.plan if state.resources.holds("node_pool") else None
    options = in_order(planned, held, state.resources.evictions)
    if held and state.resources.nodes_are_there and same_purchase(options[0].plan, held):
        options = options[:1]  # what serves is not given up for an edit that cannot be carried out
    state.status.tried = []
    for option, following in zip(options, [*options[1:], None], strict=True):
        try:
            return await _serve_on(notebook, option)
        except FailureError as error:
            reason, message = reason_and_message(error)
            if is_cancelled(error) or len(options) == 1 or not moves_on(option, reason):
                raise
            state.status.tried.append(Tried(option=option_of(option.plan), reason=reason, message=message))
        if following is None:
            raise exhausted(state.status.tried)
        await _move_on(notebook, following)


async def _serve_on(notebook: Notebook, option: Option) -> None:
    if option.refused is not None:
        raise failure(option.refused.reason, option.refused.message)
    plan = option.plan
    nothing_to_buy = _has_its_nodes(notebook, plan)
    await _free_what_does_not_fit(notebook, plan)
    notebook.state.spec.decide(option)
    if plan.kind == "tuning":
        return await tune(notebook, plan)
    pinned = await check(notebook, plan, nothing_to_buy=nothing_to_buy)
    await side_by_side(provision(notebook, plan), _deploy(notebook, plan, pinned))
    await while_nodes_last(notebook, plan, lambda: _await_serving(notebook, plan))


async def _move_on(notebook: Notebook, following: Option) -> None:
    """Gives back what was bought of the last option. The workload stays: it is replaced where it has to be."""
    state, last = notebook.state, notebook.state.status.tried[-1]
    words = f"{last.option}: {last.message}; {option_of(following.plan)} is tried next"
    notebook.stand(Phase.PROVISIONING, last.reason, words)
    if state.resources.holds("node_pool"):
        await release_nodes(notebook)
    if following.refused is None:
        state.spec.decide(following)


async def _size(notebook: Notebook) -> list[Option]:
    """Every way to get the nodes of the newest generation, in the user's order."""
    spec = notebook.state.spec
    with notebook.step(Step.SIZE):
        asked = request_of(notebook.state)
        planned = await call(signatures.BUILD_PLAN, asked, summary=f"Size: plan generation {spec.desired}")
    generation = planned.first.plan.generation
    if spec.plan is None or spec.plan.generation != generation:
        notebook.state.resources.evictions = {}
    spec.observed = spec.desired = max(generation, spec.desired)
    return [_with_deadlines(option, notebook.state.control.extra_time) for option in planned.options]


def _with_deadlines(option: Option, extra_time: dict[str, int]) -> Option:
    deadlines = option.plan.deadlines.model_copy(update=extra_time)
    return option.model_copy(update={"plan": option.plan.model_copy(update={"deadlines": deadlines})})


def _has_its_nodes(notebook: Notebook, plan: Plan) -> bool:
    """Whether the nodes that an earlier pass bought are all that this plan wants."""
    held = notebook.state.spec.plan
    if held is None or not notebook.state.resources.nodes_are_there:
        return False
    return same_purchase(held, plan) and held.node_count == plan.node_count


async def _free_what_does_not_fit(notebook: Notebook, plan: Plan) -> None:
    """A pool keeps machine type, zone and capacity type for life: another one is given back before anything is
    bought."""
    held = notebook.state.spec.plan
    if held is not None and not same_purchase(held, plan) and notebook.state.resources.holdings:
        await release_everything_held(notebook)


async def _deploy(notebook: Notebook, plan: Plan, pinned: PinnedModel | None) -> None:
    notebook.state.resources.hold(Holding(kind="workload", name=names.workload(plan.key.name)))
    with notebook.step(Step.DEPLOY):
        request = WorkloadRequest(plan=plan, pinned=pinned)
        await call(signatures.ENSURE_WORKLOAD, request, summary=f"Deploy: {plan.node_count} pods of {plan.preset}")


async def _await_serving(notebook: Notebook, plan: Plan) -> None:
    words = f"nodes are ready; images are pulled and {plan.preset} is loaded"
    wait = timedelta(seconds=plan.deadlines.serving)
    notebook.stand(Phase.DEPLOYING, "WorkspaceInferenceStatusPending", words, wait=wait)
    request = ServingRequest(workspace=plan.key, digest=plan.digest, replicas=plan.node_count)
    with notebook.step(Step.AWAIT_SERVING):
        serving = await call(
            signatures.WAIT_FOR_SERVING,
            request,
            summary=f"AwaitServing: {plan.node_count} pods ready",
            deadline_s=plan.deadlines.serving,
        )
    if plan.kind == "preset":
        await _verify(notebook, plan, serving.pods)


async def _verify(notebook: Notebook, plan: Plan, pods: list[str]) -> None:
    notebook.stand(Phase.VERIFYING, "WorkspaceInferenceStatusPending", "asking every pod for a completion")
    names_served = [plan.served_model_name, *plan.adapters]
    request = VerifyRequest(workspace=plan.key, pods=pods, model_names=names_served)
    with notebook.step(Step.VERIFY):
        await call(
            signatures.READ_COMPLETIONS,
            request,
            summary=f"Verify: a completion of {', '.join(names_served)} from {len(pods)} pods",
            deadline_s=plan.deadlines.verify,
        )
