"""One generation of an inference Workspace, from its plan to the first verified completion.

Reads like the runbook: what can be known for nothing comes first, then nodes are bought while the workload is
created, then both are waited for. Nothing is undone here; the entity compensates by what is recorded as held.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities import signatures
from activities.contracts import (
    ModelRequest,
    PinnedModel,
    Plan,
    ServingRequest,
    VerifyRequest,
    WorkloadRequest,
)
from activities.failures import failure
from activities.nodes.steps import STEPS
from activities.policies import OWN_DEADLINE_S
from api import names
from api.status import Phase, Step
from workflows.calling import call, reason_and_message, side_by_side
from workflows.ledger import Purchase
from workflows.recording import Notebook
from workflows.releasing import release_everything_held, release_nodes
from workflows.state import Holding, request_of

NODE_ATTEMPTS = 3
"""Nodes that never join or come without GPU are bought again, twice at most."""
_REPLACEABLE = ("NodeNotJoined", "NodeWithoutGpu")


async def serve(notebook: Notebook) -> None:
    """Brings the newest generation to Ready. Raises ActivityError or ApplicationError with the reason it cannot."""
    plan = await _size(notebook)
    await _free_what_does_not_fit(notebook, plan)
    pinned = await _check(notebook, plan)
    await side_by_side(_provision(notebook, plan), _deploy(notebook, plan, pinned))
    await _await_serving(notebook, plan)


async def _size(notebook: Notebook) -> Plan:
    state = notebook.state
    with notebook.step(Step.SIZE):
        asked = request_of(state)
        plan = await call(signatures.BUILD_PLAN, asked, summary=f"Size: plan generation {state.desired}")
    changes = {key: value for key, value in state.extra_time.items()}
    plan = plan.model_copy(update={"deadlines": plan.deadlines.model_copy(update=changes)})
    state.observed = state.desired = max(plan.generation, state.desired)
    return plan


async def _free_what_does_not_fit(notebook: Notebook, plan: Plan) -> None:
    """A pool cannot change its machine type: one of another type is given back before anything else is bought."""
    held = notebook.state.plan
    if held is not None and held.instance_type != plan.instance_type and notebook.state.holdings:
        await release_everything_held(notebook)
    notebook.state.plan = plan


async def _check(notebook: Notebook, plan: Plan) -> PinnedModel | None:
    """Everything that can say no before money is spent, side by side."""
    notebook.stand(Phase.PREFLIGHT, "Preflight", f"checking quota, machine and model for {what(plan)}")
    _, pinned, _ = await side_by_side(
        _preflight(notebook, plan),
        _prepare_model(notebook, plan),
        call(signatures.ENSURE_FINALIZER, plan.key, summary="Preflight: add the finalizer before anything is bought"),
    )
    notebook.state.pinned = pinned
    return pinned  # type: ignore[no-any-return]


async def _preflight(notebook: Notebook, plan: Plan) -> None:
    with notebook.step(Step.PREFLIGHT):
        check = STEPS[plan.provider].check
        result = await call(check, plan, summary=f"Preflight: may we have {nodes_of(plan)}?")
        failed = [check for check in result.checks if check.outcome == "failed"]
        if failed:
            raise failure(failed[0].reason, failed[0].message)


async def _prepare_model(notebook: Notebook, plan: Plan) -> PinnedModel | None:
    if plan.kind != "preset":
        return None
    request = ModelRequest(
        workspace=plan.key, model=plan.model, revision=plan.requested_revision, access_secret=plan.access_secret
    )
    with notebook.step(Step.PREPARE_MODEL):
        return await call(
            signatures.READ_MODEL_REVISION,
            request,
            summary=f"PrepareModel: pin the commit of {plan.model}",
            deadline_s=plan.deadlines.model,
        )


async def _provision(notebook: Notebook, plan: Plan) -> None:
    for attempt in range(1, NODE_ATTEMPTS + 1):
        try:
            await _buy(notebook, plan, attempt)
            return
        except ActivityError as error:
            reason, message = reason_and_message(error)
            if reason not in _REPLACEABLE or attempt == NODE_ATTEMPTS:
                raise
        notebook.stand(Phase.PROVISIONING, reason, f"{message}; the nodes are replaced (try {attempt + 1})")
        await release_nodes(notebook)


async def _buy(notebook: Notebook, plan: Plan, attempt: int) -> None:
    state, tries = notebook.state, f", try {attempt}" if attempt > 1 else ""
    steps = STEPS[plan.provider]
    words = steps.ensuring.format(nodes=nodes_of(plan), pool=plan.pool_name) + tries
    state.hold(Holding(kind="node_pool", name=plan.pool_name, instance_type=plan.instance_type))
    state.ledger.intend(_purchase(plan))
    provision_time = timedelta(seconds=plan.deadlines.provision)
    notebook.stand(Phase.PROVISIONING, "NodeClaimNotReady", words, wait=provision_time)
    with notebook.step(Step.PROVISION_NODES):
        bought = await call(
            steps.ensure,
            plan,
            summary=f"ProvisionNodes: {words}",
            deadline_s=plan.deadlines.provision + steps.more_time_s,
        )
    state.pool_ready = True
    state.ledger.confirm(plan.pool_name, bought.accepted_at)
    joining = timedelta(seconds=plan.deadlines.nodes)
    notebook.stand(Phase.PROVISIONING, "NodeNotReady", f"waiting for {nodes_of(plan)} to join", wait=joining)
    with notebook.step(Step.AWAIT_NODES):
        ready = await call(
            signatures.WAIT_FOR_NODES,
            plan,
            summary=f"AwaitNodes: {plan.node_count} Ready with {plan.gpus_per_node} GPU each",
            deadline_s=plan.deadlines.nodes + OWN_DEADLINE_S,  # the activity ends at its own deadline, with a reason
        )
    state.nodes = ready.names
    notebook.touch()


def _purchase(plan: Plan) -> Purchase:
    return Purchase(
        pool=plan.pool_name,
        instance_type=plan.instance_type,
        nodes=plan.node_count,
        price_per_hour=plan.price_per_hour,
        since=workflow.now(),
    )


async def _deploy(notebook: Notebook, plan: Plan, pinned: PinnedModel | None) -> None:
    notebook.state.hold(Holding(kind="workload", name=names.workload(plan.key.name)))
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
    request = VerifyRequest(workspace=plan.key, pods=pods, model_names=[plan.served_model_name])
    with notebook.step(Step.VERIFY):
        await call(
            signatures.READ_COMPLETIONS,
            request,
            summary=f"Verify: a completion of {plan.served_model_name} from {len(pods)} pods",
            deadline_s=plan.deadlines.verify,
        )


def nodes_of(plan: Plan) -> str:
    """`2 x Standard_NC24ads_A100_v4`, `2 x own node with 1 GPU`."""
    return f"{plan.node_count} x {plan.instance_type or f'own node with {plan.gpus_per_node} GPU'}"


def what(plan: Plan) -> str:
    """`phi-4 on 1 x Standard_NC24ads_A100_v4`."""
    return f"{plan.preset} on {nodes_of(plan)}"
