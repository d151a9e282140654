"""Releases resources: after a failed pass, before nodes of another kind are bought, and on delete.

Always in reverse order of acquisition, and until the API server or the cloud confirms the deletion. Names are
deterministic, so that a delete also finds resources that are not recorded.
"""

import asyncio
from typing import Final

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.contract import signatures
from activities.contract.nodes import PoolKey
from activities.contract.plan import Plan
from activities.contract.providers import STEPS
from activities.contract.tuning import TuningKey
from api import names
from api.providers import Provider
from api.resource.status import Step
from workflows.activity_calls import call, call_locally, is_cancelled, reason_and_message
from workflows.status.reporter import StatusReporter

STILL_HELD: Final = "; not released, and still costs money: "


async def undeploy(reporter: StatusReporter, *, for_good: bool = False) -> None:
    """Removes the workload and waits until its pods are gone; `for_good` also deletes a training's volume."""
    state = reporter.state
    where = f"{state.key.namespace}/{state.key.name}"
    with reporter.step(Step.UNDEPLOY):
        if state.spec.plan is None or state.spec.plan.kind != "tuning":
            summary = f"Undeploy: remove workload and Service of {where}"
            await call(signatures.DELETE_WORKLOAD, state.key, summary=summary)
        if _may_have_tuned(state.spec.plan):
            what = "Jobs and volume" if for_good else "Jobs"
            request = TuningKey(workspace=state.key, volume=for_good)
            await call(signatures.DELETE_TUNING, request, summary=f"Undeploy: remove {what} of {where}")
        state.resources.release("workload")
        if for_good:
            state.resources.release("volume")


def _may_have_tuned(plan: Plan | None) -> bool:
    """True without a plan, too: an earlier workflow of the same Workspace may have had one."""
    return plan is None or plan.kind == "tuning"


async def release_nodes(reporter: StatusReporter, provider: Provider | None = None) -> None:
    """Releases the nodes to their provider and waits until none is left; byo nodes stay."""
    state, resources = reporter.state, reporter.state.resources
    steps = STEPS[provider or (state.spec.plan.provider if state.spec.plan else "aks")]
    pool = names.pool_name(state.key.uid)
    with reporter.step(Step.RELEASE_NODES):
        resources.nodes = []
        resources.pool_ready = False
        key = PoolKey(workspace=state.key, pool_name=pool)
        released = await call(steps.release, key, summary=f"ReleaseNodes: {steps.releasing.format(pool=pool)}")
        resources.ledger.close(pool, released.gone_at, existed=released.existed)
        if steps.nodes_go:
            await call(
                signatures.WAIT_FOR_NO_NODES, state.key, summary=f"ReleaseNodes: wait until no node of {pool} is left"
            )
        resources.release("node_pool")


async def release_everything_held(reporter: StatusReporter) -> None:
    """Releases what is recorded as held, newest first; runs no activity if nothing is held."""
    if reporter.state.resources.holds("workload"):
        await undeploy(reporter)
    if reporter.state.resources.holds("node_pool"):
        await release_nodes(reporter)


async def release_all(reporter: StatusReporter) -> str:
    """Releases everything held after a failure. What cannot be released stays recorded. Returns a suffix for the status
    message that lists it, empty if nothing is left."""
    try:
        await release_everything_held(reporter)
    except FailureError as error:
        if is_cancelled(error):
            raise asyncio.CancelledError from None
        left = ", ".join(f"{holding.kind} {holding.name}" for holding in reporter.state.resources.to_release)
        return f"{STILL_HELD}{left}, because {reason_and_message(error)[1]}. The release is retried every hour"
    return ""


async def finalize(reporter: StatusReporter) -> None:
    """Full cleanup of a deleted Workspace. Looks for resources even if none are recorded."""
    await undeploy(reporter, for_good=True)
    for provider in await _providers(reporter):
        await release_nodes(reporter, provider)
    with reporter.step(Step.FORGET):
        workflow.logger.info("everything is released")
        # Even if the Workspace seems gone: "gone" may mean that it is still being deleted and waits for this finalizer.
        with reporter.held():
            await call_locally(signatures.DELETE_FINALIZER, reporter.state.key, summary="Forget: remove the finalizer")


async def _providers(reporter: StatusReporter) -> list[Provider]:
    """Returns the providers that may hold nodes: the plan's, as a Workspace never changes its provider. Without a plan,
    queries all: an earlier workflow of the same Workspace may have had one."""
    state = reporter.state
    if state.spec.plan is not None:
        return [state.spec.plan.provider]
    found = await call(signatures.READ_PROVIDERS, state.key, summary="ReleaseNodes: list providers that hold nodes")
    return found.names
