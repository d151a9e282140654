"""Deploys an inference Workspace on the nodes of one plan, from the checks to the first verified completion.

Runs the checks that cost nothing first, then provisions nodes while it creates the workload, then waits for both.
`generation.py` decides which plan is carried out.
"""

from datetime import timedelta

from activities.contract import signatures
from activities.contract.models import PinnedModel
from activities.contract.nodes import NodesHeld
from activities.contract.plan import Plan
from activities.contract.serving import ServingRequest, VerifyRequest, WorkloadRequest
from api import names
from api.resource.status import Phase, Step
from workflows.activity_calls import call, gather_or_cancel
from workflows.last_good import to_keep
from workflows.state import HeldResource
from workflows.status.reporter import StatusReporter
from workflows.steps.node_loss import run_while_nodes_ready
from workflows.steps.nodes import provision
from workflows.steps.preflight import check
from workflows.steps.reuse import NodesThere


async def serve(reporter: StatusReporter, plan: Plan, nodes: NodesThere) -> None:
    """Brings the plan's model to Ready. Raises ActivityError or ApplicationError with the reason for a failure."""
    pinned = await check(reporter, plan, nothing_to_buy=nodes != "none")
    if nodes == "as they are":
        # A node that is lost by now is noticed while serving is awaited.
        await deploy(reporter, plan, pinned)
    else:
        await gather_or_cancel(provision(reporter, plan), deploy(reporter, plan, pinned))
    await run_while_nodes_ready(reporter, plan, lambda nodes: await_serving(reporter, plan, nodes))


async def deploy(
    reporter: StatusReporter, plan: Plan, pinned: PinnedModel | None, *, restoring: Step | None = None
) -> None:
    """Applies the plan's workload; what has served until now is kept for a failure. With `restoring`, the step to show,
    applies it as it was kept."""
    resources = reporter.state.resources
    resources.acquire(HeldResource(kind="workload", name=names.workload(plan.key.name)))
    resources.made = {}
    keep, drop = to_keep(reporter.state.spec.good, resources.kept, plan.digest)
    step = restoring or Step.DEPLOY
    with reporter.step(step):
        request = WorkloadRequest(plan=plan, pinned=pinned, keep=keep, drop=drop, restore=restoring is not None)
        summary = f"{step}: apply {plan.node_count} pods of {plan.preset}"
        applied = await call(signatures.ENSURE_WORKLOAD, request, summary=summary)
    resources.made, resources.kept = applied.made, applied.kept or resources.kept


async def await_serving(
    reporter: StatusReporter,
    plan: Plan,
    nodes: NodesHeld,
    said: tuple[str, str] = ("WorkspaceInferenceStatusPending", ""),
) -> None:
    """Returns when the plan's pods are ready and have answered. `said`: the reason to show meanwhile, and what stands
    before each message. Raises like `serve`."""
    reason, before = said
    message = f"{before}nodes are ready; pulling images and loading {plan.preset}"
    wait = timedelta(seconds=plan.deadlines.serving)
    reporter.set_status(Phase.DEPLOYING, reason, message, wait=wait)
    request = ServingRequest(
        workspace=plan.key,
        digest=plan.digest,
        replicas=plan.node_count,
        nodes=nodes,
        deployment=reporter.state.resources.made.get("Deployment", ""),
        steady=plan.kind == "template",
    )
    with reporter.step(Step.AWAIT_SERVING):
        serving = await call(
            signatures.WAIT_FOR_SERVING,
            request,
            summary=f"AwaitServing: wait for {plan.node_count} ready pods",
            deadline_s=plan.deadlines.serving,
        )
    if plan.kind == "preset":
        # What was said to be unhealthy until now is ready, and the nodes are watched until the pods have answered.
        reporter.state.control.look = False
        reporter.set_status(Phase.VERIFYING, reason, f"{before}requesting a completion from every pod")
        await _verify(reporter, plan, serving.pods, nodes)


async def _verify(reporter: StatusReporter, plan: Plan, pods: list[str], nodes: NodesHeld) -> None:
    names_served = [plan.served_model_name, *plan.adapters]
    request = VerifyRequest(workspace=plan.key, pods=pods, model_names=names_served, nodes=nodes)
    with reporter.step(Step.VERIFY):
        await call(
            signatures.READ_COMPLETIONS,
            request,
            summary=f"Verify: request a completion of {', '.join(names_served)} from {len(pods)} pods",
            deadline_s=plan.deadlines.verify,
        )
