"""Provisions the nodes of a pass: buys them, waits for them, and replaces nodes that never join or have no GPU.

A purchase is recorded as held before the call, so that compensation finds it. `serving.py` and `tuning.py` pass the
plan and run the workload on the nodes.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.contract import signatures
from activities.contract.plan import Plan
from activities.contract.policies import OWN_DEADLINE_S
from activities.contract.providers import STEPS
from api.resource.status import Phase, Step
from workflows.activity_calls import call, reason_and_message
from workflows.ledger import Purchase
from workflows.state import HeldResource
from workflows.status.reporter import StatusReporter
from workflows.steps.cleanup import release_nodes
from workflows.steps.cluster import when_changeable

NODE_ATTEMPTS = 3
"""Nodes that never join or have no GPU are replaced at most twice."""
_REPLACEABLE = ("NodeNotJoined", "NodeWithoutGpu")


async def provision(reporter: StatusReporter, plan: Plan) -> None:
    """Returns when every node is Ready with its GPUs. Raises ActivityError with the reason for a failure."""
    for attempt in range(1, NODE_ATTEMPTS + 1):
        try:
            await _buy(reporter, plan, attempt)
            return
        except ActivityError as error:
            reason, message = reason_and_message(error)
            if reason not in _REPLACEABLE or attempt == NODE_ATTEMPTS:
                raise
        reporter.set_status(Phase.PROVISIONING, reason, f"{message}; replacing the nodes (try {attempt + 1})")
        await release_nodes(reporter)


async def _buy(reporter: StatusReporter, plan: Plan, attempt: int) -> None:
    resources, tries = reporter.state.resources, f", try {attempt}" if attempt > 1 else ""
    steps = STEPS[plan.provider]
    texts = {"nodes": plan.nodes_description, "pool": plan.pool_name}
    message = steps.ensuring.format(**texts) + tries
    resources.acquire(HeldResource(kind="node_pool", name=plan.pool_name, instance_type=plan.instance_type))
    resources.ledger.intend(_purchase(plan))
    provision_time = timedelta(seconds=plan.deadlines.provision)
    reporter.set_status(
        Phase.PROVISIONING, *_with_loss(reporter, plan, "NodeClaimNotReady", message), wait=provision_time
    )
    with reporter.step(Step.PROVISION_NODES):
        bought = await when_changeable(
            reporter,
            lambda waited: call(
                steps.ensure,
                # Nodes that went with the cluster come back with it.
                plan.model_copy(update={"repair": resources.lost and attempt == 1 and not waited}),
                summary=f"ProvisionNodes: {steps.to_ensure.format(**texts)}{tries}",
                deadline_s=plan.deadlines.provision + steps.more_time_s,
            ),
        )
    resources.pool_ready = True
    resources.ledger.confirm(plan.pool_name, bought.accepted_at)
    joining = timedelta(seconds=plan.deadlines.nodes)
    message = f"waiting for {plan.nodes_description} to join"
    reporter.set_status(Phase.PROVISIONING, *_with_loss(reporter, plan, "NodeNotReady", message), wait=joining)
    with reporter.step(Step.AWAIT_NODES):
        ready = await call(
            signatures.WAIT_FOR_NODES,
            plan,
            summary=f"AwaitNodes: wait for {plan.node_count} Ready nodes with {plan.gpus_per_node} GPU each",
            deadline_s=plan.deadlines.nodes + OWN_DEADLINE_S,  # the activity fails at its own deadline, with a reason
        )
    resources.nodes, resources.lost = ready.names, False
    reporter.mark_dirty()


def _with_loss(reporter: StatusReporter, plan: Plan, reason: str, message: str) -> tuple[str, str]:
    """Returns reason and message; while lost nodes are being replaced, the loss is the reason."""
    resources = reporter.state.resources
    if resources.lost and resources.loss:
        return loss_reason(plan), f"{resources.loss}: {message}"
    return reason, message


def loss_reason(plan: Plan) -> str:
    """The reason for the loss of a node of this plan."""
    return "SpotEvicted" if plan.spot else "NodeLost"


def _purchase(plan: Plan) -> Purchase:
    return Purchase(
        pool=plan.pool_name,
        instance_type=plan.instance_type,
        nodes=plan.node_count,
        price_per_hour=plan.price_per_hour,
        since=workflow.now(),
    )
