"""Giving everything back: after a failed pass, before nodes of another kind are bought, and on delete.

Always in the reverse order of getting, always until the truth says that it is gone. The names are deterministic, so
that on delete even what no record tells of is looked for.
"""

import asyncio
from typing import Final

from temporalio import workflow
from temporalio.exceptions import FailureError

from activities.contract import signatures
from activities.contract.payloads import Plan, PoolKey
from activities.contract.providers import STEPS
from activities.contract.tuning import TuningKey
from api import names
from api.providers import Provider
from api.resource.status import Step
from workflows.execute import call, is_cancelled, reason_and_message
from workflows.status.reporter import StatusReporter

STILL_HELD: Final = "; still there, and costs money: "


async def undeploy(reporter: StatusReporter, *, for_good: bool = False) -> None:
    """Removes the workload and waits until its pods are gone; `for_good` takes a training's volume, too."""
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
    """A workflow that knows of no plan may be the second one of a Workspace that had a plan."""
    return plan is None or plan.kind == "tuning"


async def release_nodes(reporter: StatusReporter, provider: Provider | None = None) -> None:
    """Gives the nodes back to where they came from, until nothing is left; nodes of one's own stay."""
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
    """What the record says we hold, newest first; costs nothing where we hold nothing."""
    if reporter.state.resources.holds("workload"):
        await undeploy(reporter)
    if reporter.state.resources.holds("node_pool"):
        await release_nodes(reporter)


async def release_all(reporter: StatusReporter) -> str:
    """Releases everything held after a failure. What cannot be released stays on record; returns that as the end of a
    sentence, empty when nothing is left."""
    try:
        await release_everything_held(reporter)
    except FailureError as error:
        if is_cancelled(error):
            raise asyncio.CancelledError from None
        left = ", ".join(f"{holding.kind} {holding.name}" for holding in reporter.state.resources.to_release)
        return f"{STILL_HELD}{left}, because {reason_and_message(error)[1]}. It is tried again every hour"
    return ""


async def finalize(reporter: StatusReporter) -> None:
    """The whole way out of a deleted Workspace: whether or not we remember holding anything, it is looked for."""
    await undeploy(reporter, for_good=True)
    for provider in await _providers(reporter):
        await release_nodes(reporter, provider)
    with reporter.step(Step.FORGET):
        workflow.logger.info("everything is given back")
        # Even of one that seems gone: "gone" may have been said of one that is being deleted, and it would stay.
        await call(signatures.DELETE_FINALIZER, reporter.state.key, summary="Forget: remove the finalizer")


async def _providers(reporter: StatusReporter) -> list[Provider]:
    """Where nodes may have come from: the plan's provider, for a Workspace has one for life. A workflow that knows of
    no plan may be the second one of a Workspace that had a plan; who holds something for it is asked."""
    state = reporter.state
    if state.spec.plan is not None:
        return [state.spec.plan.provider]
    found = await call(signatures.READ_PROVIDERS, state.key, summary="ReleaseNodes: who may hold something for us?")
    return found.names
