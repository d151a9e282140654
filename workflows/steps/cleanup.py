"""Releases resources: after a failed pass, before nodes of another kind are bought, and on delete.

Always in reverse order of acquisition, and until the API server or the cloud confirms the deletion. Names are
deterministic, so that a delete also finds resources that are not recorded.
"""

import asyncio
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

from activities.contract import signatures
from activities.contract.nodes import PoolKey
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Plan
from activities.contract.providers import STEPS
from activities.contract.serving import Undeployed, UndeployRequest
from activities.contract.tuning import TuningKey
from api import names
from api.providers import Provider
from api.resource.status import Step
from workflows.activity_calls import call, gather_or_cancel, is_cancelled, reason_and_message
from workflows.last_good import to_keep
from workflows.state import WorkspaceState
from workflows.status.reporter import StatusReporter
from workflows.steps.cluster import when_changeable

STILL_HELD: Final = "; not released, and still costs money: "


async def undeploy(reporter: StatusReporter, *, for_good: bool = False, nodes_go: bool = False) -> bool:
    """Removes the workload and waits until its pods are gone; `for_good` also deletes a training's volume. With
    `nodes_go`, which tells that the nodes are released next, waits no longer than the pods' grace. Returns whether pods
    are left then: call it again when the nodes are gone."""
    state = reporter.state
    with reporter.step(Step.UNDEPLOY):
        removals = [_remove_workload(state, for_good, nodes_go)] if _may_serve(state.spec.plan) else []
        if _may_have_tuned(state.spec.plan):
            removals.append(_remove_jobs(state.key, for_good, nodes_go))
        undeployed: list[Undeployed] = await gather_or_cancel(*removals)
        state.resources.kept = next((one.kept for one in undeployed if one.kept), state.resources.kept)
        if any(one.left for one in undeployed):
            return True
        state.resources.release("workload")
        if for_good:
            state.resources.release("volume")
    return False


async def _remove_workload(state: WorkspaceState, for_good: bool, nodes_go: bool) -> Undeployed:
    key, (keep, drop) = state.key, ("", "") if for_good else to_keep(state.spec.good, state.resources.kept)
    request = UndeployRequest(workspace=key, nodes_go=nodes_go, made=state.resources.made, keep=keep, drop=drop)
    summary = f"Undeploy: remove workload and Service of {key.namespace}/{key.name}"
    return await call(signatures.DELETE_WORKLOAD, request, summary=summary)


async def _remove_jobs(key: WorkspaceKey, for_good: bool, nodes_go: bool) -> Undeployed:
    request = TuningKey(workspace=key, volume=for_good, nodes_go=nodes_go)
    what = "Jobs and volume" if for_good else "Jobs"
    return await call(
        signatures.DELETE_TUNING, request, summary=f"Undeploy: remove {what} of {key.namespace}/{key.name}"
    )


def _may_serve(plan: Plan | None) -> bool:
    return plan is None or plan.kind != "tuning"


def _may_have_tuned(plan: Plan | None) -> bool:
    """True without a plan, too: an earlier workflow of the same Workspace may have had one."""
    return plan is None or plan.kind == "tuning"


async def release_nodes(reporter: StatusReporter, provider: Provider | None = None, *, others: bool = False) -> None:
    """Releases the nodes to their provider and waits until none is left; byo nodes stay. With `others` leaves nodes of
    other providers, which are released next and waited for then."""
    state, resources = reporter.state, reporter.state.resources
    steps = STEPS[provider or (state.spec.plan.provider if state.spec.plan else "aks")]
    pool = names.pool_name(state.key.uid)
    with reporter.step(Step.RELEASE_NODES):
        have_joined = bool(resources.nodes)
        resources.nodes = []
        resources.pool_ready = False
        key = PoolKey(workspace=state.key, pool_name=pool)
        summary = f"ReleaseNodes: {steps.releasing.format(pool=pool)}"
        release = when_changeable(reporter, lambda _: call(steps.release, key, summary=summary))
        if steps.nodes_go and have_joined and not others:
            released, gone = await gather_or_cancel(release, _nodes_gone(state.key, pool))
        else:
            released, gone = await release, False
        resources.ledger.close(pool, released.gone_at, existed=released.existed)
        if steps.nodes_go and not gone and not others:
            # Now: they may have waited for their provider, or have joined while their pool was being deleted.
            await _wait_for_no_nodes(state.key, pool)
        resources.release("node_pool")


async def _nodes_gone(key: WorkspaceKey, pool: str) -> bool:
    """Waits beside the release: nodes are gone before their provider says so, as a rule. False if they were not."""
    try:
        await _wait_for_no_nodes(key, pool)
    except ActivityError as error:
        if is_cancelled(error):
            raise
        return False
    return True


async def _wait_for_no_nodes(key: WorkspaceKey, pool: str) -> None:
    await call(signatures.WAIT_FOR_NO_NODES, key, summary=f"ReleaseNodes: wait until no node of {pool} is left")


async def release_everything_held(reporter: StatusReporter) -> None:
    """Releases what is recorded as held, newest first; runs no activity if nothing is held."""
    resources, left = reporter.state.resources, False
    if resources.holds("workload"):
        left = await undeploy(reporter, nodes_go=resources.holds("node_pool") and _nodes_go(reporter))
    if resources.holds("node_pool"):
        await release_nodes(reporter)
    if left:
        await undeploy(reporter)


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
    left = await undeploy(reporter, for_good=True, nodes_go=_nodes_go(reporter))
    providers = await _providers(reporter)
    going = [provider for provider in providers if STEPS[provider].nodes_go]
    for provider in providers:
        await release_nodes(reporter, provider, others=provider in going[:-1])
    if left:
        await undeploy(reporter, for_good=True)
    with reporter.step(Step.FORGET):
        workflow.logger.info("everything is released")
        # Even if the Workspace seems gone: "gone" may mean that it is still being deleted and waits for this finalizer.
        with reporter.held():
            await call(signatures.DELETE_FINALIZER, reporter.state.key, summary="Forget: remove the finalizer")


def _nodes_go(reporter: StatusReporter) -> bool:
    """Whether the nodes, as far as is known, are released with the Workspace; the user's own stay."""
    plan = reporter.state.spec.plan
    return plan is not None and STEPS[plan.provider].nodes_go


async def _providers(reporter: StatusReporter) -> list[Provider]:
    """Returns the providers that may hold nodes: the plan's, as a Workspace never changes its provider. Without a plan,
    queries all: an earlier workflow of the same Workspace may have had one. So may KAITO, whose nodes go as well."""
    state = reporter.state
    plan = state.spec.plan
    if plan is not None and not plan.from_kaito:
        return [plan.provider]
    found = await call(signatures.READ_PROVIDERS, state.key, summary="ReleaseNodes: list providers that hold nodes")
    return sorted({*found.names, *([plan.provider] if plan else [])})
