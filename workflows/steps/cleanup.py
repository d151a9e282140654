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
from workflows.status.reporter import Notebook

STILL_HELD: Final = "; still there, and costs money: "


async def undeploy(notebook: Notebook, *, for_good: bool = False) -> None:
    """Removes the workload and waits until its pods are gone; `for_good` takes a training's volume, too."""
    state = notebook.state
    where = f"{state.key.namespace}/{state.key.name}"
    with notebook.step(Step.UNDEPLOY):
        if state.spec.plan is None or state.spec.plan.kind != "tuning":
            summary = f"Undeploy: remove workload and Service of {where}"
            await call(signatures.DELETE_WORKLOAD, state.key, summary=summary)
        if _may_have_tuned(state.spec.plan):
            what = "Jobs and volume" if for_good else "Jobs"
            request = TuningKey(workspace=state.key, volume=for_good)
            await call(signatures.DELETE_TUNING, request, summary=f"Undeploy: remove {what} of {where}")
        state.resources.let_go("workload")
        if for_good:
            state.resources.let_go("volume")


def _may_have_tuned(plan: Plan | None) -> bool:
    """A workflow that knows of no plan may be the second one of a Workspace that had a plan."""
    return plan is None or plan.kind == "tuning"


async def release_nodes(notebook: Notebook, provider: Provider | None = None) -> None:
    """Gives the nodes back to where they came from, until nothing is left; nodes of one's own stay."""
    state, resources = notebook.state, notebook.state.resources
    steps = STEPS[provider or (state.spec.plan.provider if state.spec.plan else "aks")]
    pool = names.pool_name(state.key.uid)
    with notebook.step(Step.RELEASE_NODES):
        resources.nodes = []
        resources.pool_ready = False
        key = PoolKey(workspace=state.key, pool_name=pool)
        released = await call(steps.release, key, summary=f"ReleaseNodes: {steps.releasing.format(pool=pool)}")
        resources.ledger.close(pool, released.gone_at, existed=released.existed)
        if steps.nodes_go:
            await call(
                signatures.WAIT_FOR_NO_NODES, state.key, summary=f"ReleaseNodes: wait until no node of {pool} is left"
            )
        resources.let_go("node_pool")


async def release_everything_held(notebook: Notebook) -> None:
    """What the record says we hold, newest first; costs nothing where we hold nothing."""
    if notebook.state.resources.holds("workload"):
        await undeploy(notebook)
    if notebook.state.resources.holds("node_pool"):
        await release_nodes(notebook)


async def give_back(notebook: Notebook) -> str:
    """Releases everything held after a failure. What cannot be released stays on record; returns that as the end of a
    sentence, empty when nothing is left."""
    try:
        await release_everything_held(notebook)
    except FailureError as error:
        if is_cancelled(error):
            raise asyncio.CancelledError from None
        left = ", ".join(f"{holding.kind} {holding.name}" for holding in notebook.state.resources.to_give_back)
        return f"{STILL_HELD}{left}, because {reason_and_message(error)[1]}. It is tried again every hour"
    return ""


async def forget(notebook: Notebook) -> None:
    """The whole way out of a deleted Workspace: whether or not we remember holding anything, it is looked for."""
    await undeploy(notebook, for_good=True)
    for provider in await _providers(notebook):
        await release_nodes(notebook, provider)
    with notebook.step(Step.FORGET):
        workflow.logger.info("everything is given back")
        # Even of one that seems gone: "gone" may have been said of one that is being deleted, and it would stay.
        await call(signatures.DELETE_FINALIZER, notebook.state.key, summary="Forget: remove the finalizer")


async def _providers(notebook: Notebook) -> list[Provider]:
    """Where nodes may have come from: the plan's provider, for a Workspace has one for life. A workflow that knows of
    no plan may be the second one of a Workspace that had a plan; who holds something for it is asked."""
    state = notebook.state
    if state.spec.plan is not None:
        return [state.spec.plan.provider]
    found = await call(signatures.READ_PROVIDERS, state.key, summary="ReleaseNodes: who may hold something for us?")
    return found.names
