"""From what the workflow knows to what users see: the status document and the Temporal UI's current details. Pure.

Conditions are KAITO's types with KAITO's reasons while things go well; where they do not, the reason that stopped the
Workspace stands on every condition it keeps from being True.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from activities.contracts import Check
from api.conditions import ConditionStatus, ConditionType, set_condition
from api.status import Phase, PlanSummary, WorkspaceStatus, inference_state
from workflows.state import StepRecord, WorkspaceState

_STOPPED = (Phase.FAILED, Phase.CONTROLLER_ERROR)


def refresh_conditions(state: WorkspaceState, now: datetime) -> None:
    """Brings the conditions in line with the facts; lastTransitionTime moves only where a status changed."""
    serving = state.phase is Phase.READY
    nodes_ready = bool(state.nodes) and not state.lost
    facts: list[tuple[ConditionType, bool, str, str, str, str]] = [
        (ConditionType.NODE_CLAIM_READY, state.pool_ready, "NodeClaimsReady", "Enough nodes were bought",
         "NodeClaimNotReady", "Not enough nodes were bought yet"),
        (ConditionType.NODES_READY, nodes_ready, "NodesReady", "Enough Nodes are ready",
         "NodeNotReady", "Not enough Nodes are ready"),
        (ConditionType.RESOURCE_READY, nodes_ready, "workspaceResourceStatusSuccess", "workspace resource is ready",
         "workspaceResourceStatusNotReady", "workspace resource is not ready"),
        (ConditionType.INFERENCE_READY, serving, "WorkspaceInferenceStatusSuccess",
         "Inference has been deployed successfully", "WorkspaceInferenceStatusPending",
         "Inference workload is not ready"),
        (ConditionType.WORKSPACE_SUCCEEDED, serving, "workspaceSucceeded", "workspace succeeds",
         "workspacePending", "workspace is waiting for inference workload readiness"),
    ]  # fmt: skip
    if state.checks:
        _set(state, ConditionType.PREFLIGHT_PASSED, *preflight_condition(state.checks), now)
    for type_, holds, good, good_words, bad, bad_words in facts:
        reason, message = (good, good_words) if holds else (bad, bad_words)
        if not holds and state.phase in _STOPPED:
            reason, message = state.reason, state.message
        _set(state, type_, "True" if holds else "False", reason, message, now)
    if state.deleting:
        words = "workspace is being deleted"
        _set(state, ConditionType.WORKSPACE_DELETING, "True", "workspaceDeleted", words, now)


def preflight_condition(checks: Sequence[Check]) -> tuple[ConditionStatus, str, str]:
    """Status, reason and message of the checks made so far: False with every one that failed, True with what could not
    be checked."""
    failed = [check for check in checks if check.outcome == "failed"]
    if failed:
        words = f"{len(failed)} of {len(checks)} checks failed: {_each(failed)}"
        return "False", failed[0].reason, words
    unknown = [check for check in checks if check.outcome == "unknown"]
    passed = f"passed: {', '.join(check.name for check in checks if check.outcome == 'passed') or 'none'}"
    return "True", "PreflightPassed", f"{passed}; not known: {_each(unknown)}" if unknown else passed


def status_document(state: WorkspaceState, now: datetime) -> dict[str, Any]:
    """The status as JSON, in the resource's own spelling."""
    refresh_conditions(state, now)
    state.kaito_state = inference_state(ready=state.phase is Phase.READY, previous=state.kaito_state)
    plan = state.plan
    status = WorkspaceStatus(
        worker_nodes=state.nodes or None,
        state=state.kaito_state,
        conditions=state.conditions,
        target_node_count=plan.node_count if plan else None,
        phase=state.phase,
        step=state.step,
        reason=state.reason,
        message=state.message,
        since=state.since,
        deadline=state.deadline,
        observed_generation=state.observed,
        plan=_summary(state),
        cost=state.ledger.total(now),
    )
    return status.wire()


def current_details(state: WorkspaceState) -> str:
    """One block of Markdown for the Temporal UI: where the Workspace stands, and how long each step took."""
    head = f"**{state.phase}** since {_clock(state.since)}, generation {state.observed}: {state.message}"
    held = ", ".join(f"{holding.kind} `{holding.name}`" for holding in state.holdings) or "nothing"
    rows = [f"| {record.step} | {record.outcome} | {_took(record)} |" for record in state.steps]
    table = ["| step | outcome | took |", "|---|---|---|", *rows] if rows else []
    return "\n".join([head, "", f"Holds: {held}", "", *table])


def _each(checks: Sequence[Check]) -> str:
    return "; ".join(f"{check.name}: {check.message}" for check in checks)


def _set(
    state: WorkspaceState, type_: ConditionType, status: ConditionStatus, reason: str, message: str, now: datetime
) -> None:
    state.conditions = set_condition(
        state.conditions,
        type_,
        status=status,
        reason=reason,
        message=message,
        now=now,
        observed_generation=state.observed,
    )


def _summary(state: WorkspaceState) -> PlanSummary | None:
    plan = state.plan
    if plan is None:
        return None
    priced = plan.price_per_hour is not None
    return PlanSummary(
        nodes=plan.node_count,
        provider=plan.provider,
        instance_type=plan.instance_type or None,
        gpus_per_node=plan.gpus_per_node,
        capacity_type=("spot" if plan.spot else "on-demand") if plan.provider == "aks" else None,
        zone=", ".join(plan.zones) or None,
        tried=[f"{one.option}: {one.reason}: {one.message}" for one in state.tried] or None,
        price_per_hour=f"{plan.price_per_hour:.2f}" if priced else None,
        currency="USD" if priced else None,
        model=plan.model or None,
        model_revision=state.pinned.revision if state.pinned else None,
    )


def _took(record: StepRecord) -> str:
    return f"{(record.ended - record.started).total_seconds():.1f} s" if record.ended else "…"


def _clock(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC") if moment else "now"
