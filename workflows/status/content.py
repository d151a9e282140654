"""Converts the workflow's state to the status document and the Temporal UI's current details. Pure.

Conditions have KAITO's types and, while nothing has failed, KAITO's reasons. After a failure, every condition that is
not True carries the reason that stopped the Workspace.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from activities.contract.plan import Check
from activities.contract.tuning import DataFound, PublishedAdapter
from api.resource.conditions import ConditionStatus, ConditionType, find_condition, set_condition
from api.resource.status import (
    Phase,
    PlanSummary,
    PublishedImage,
    State,
    Step,
    TrainingData,
    WorkspaceStatus,
    inference_state,
    tuning_state,
)
from api.words import bounded, one_line, plain_markdown
from workflows.state import StepRecord, WorkspaceState

WARNINGS_SHOWN: Final = 5
WARNING_MAX: Final = 300
"""Warnings about the data that reach the status, and characters of each: a pod may send any."""

_STOPPED = (Phase.FAILED, Phase.CONTROLLER_ERROR)
_PARTS = ("plan", "cost")
_PARTS_OF_TRAININGS = ("data", "adapter")
"""Written even when empty: older API servers (seen in 1.20) set an object that an apply omits to null, and then reject
the whole status."""
_KEPT_REASONS = ("NodesReleased", "WorkspaceTuningJobStatusFailed")
"""Condition reasons that the reason of a stopped Workspace does not replace."""


def refresh_conditions(state: WorkspaceState, now: datetime) -> None:
    """Updates the conditions from the state; lastTransitionTime changes only with a condition's status."""
    status = state.status
    if status.checks:
        _set(state, ConditionType.PREFLIGHT_PASSED, *preflight_condition(status.checks), now)
    if _tunes(state):  # before planning, a training has the conditions of inference
        status.conditions = [found for found in status.conditions if found.type != ConditionType.INFERENCE_READY]
    facts = _training_facts(state) if _tunes(state) else _facts(state)
    for type_, holds, good, good_message, bad, bad_message in facts:
        reason, message = (good, good_message) if holds else (bad, bad_message)
        if not holds and status.phase in _STOPPED and bad not in _KEPT_REASONS:
            reason, message = status.reason, status.message
        _set(state, type_, "True" if holds else "False", reason, message, now, about=state.spec.serving_generation)
    _set_applied(state, now)
    if state.spec.deleting:
        message = "workspace is being deleted"
        _set(state, ConditionType.WORKSPACE_DELETING, "True", "workspaceDeleted", message, now)


def _set_applied(state: WorkspaceState, now: datetime) -> None:
    """Whether the newest generation is what serves; said once it was not. Other conditions are about what serves."""
    failed, status = state.spec.failed, state.status
    if failed is not None:
        applied: tuple[ConditionStatus, str, str] = ("False", failed.reason, failed.verdict)
    elif find_condition(status.conditions, ConditionType.GENERATION_APPLIED) is None:
        return
    elif status.phase in (Phase.READY, Phase.SUCCEEDED):
        applied = ("True", "GenerationApplied", "the newest generation is what serves")
    else:
        applied = ("False", status.reason, status.message)
    _set(state, ConditionType.GENERATION_APPLIED, *applied, now)


_Fact = tuple[ConditionType, bool, str, str, str, str]
"""Type, whether it holds, reason and message when it does, reason and message when it does not."""


def _facts(state: WorkspaceState) -> list[_Fact]:
    """Conditions of an inference Workspace."""
    serving, resources = state.status.phase is Phase.READY, state.resources
    nodes_ready = bool(resources.nodes) and not resources.lost
    return [
        (ConditionType.NODE_CLAIM_READY, resources.pool_ready, "NodeClaimsReady", "Enough nodes were bought",
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


def _training_facts(state: WorkspaceState) -> list[_Fact]:
    """Conditions of a tuning Workspace. After the training, missing nodes get the reason NodesReleased."""
    status, resources, run = state.status, state.resources, state.resources.run
    trained = run.trained is not None
    bought, joined = resources.pool_ready, bool(resources.nodes) and not resources.lost
    gone, gone_message = "NodesReleased", "the training has ended and its nodes were released"
    failed = any(record.step is Step.TRAIN and record.outcome == "failed" for record in status.steps)
    failed = failed and status.phase in _STOPPED
    started = "WorkspaceTuningJobStatusFailed" if failed else "WorkspaceTuningJobStatusPending"
    return [
        (ConditionType.NODE_CLAIM_READY, bought, "NodeClaimsReady", "Enough nodes were bought",
         gone if trained else "NodeClaimNotReady", gone_message if trained else "Not enough nodes were bought yet"),
        (ConditionType.NODES_READY, joined, "NodesReady", "Enough Nodes are ready",
         gone if trained else "NodeNotReady", gone_message if trained else "Not enough Nodes are ready"),
        (ConditionType.RESOURCE_READY, joined or trained, "workspaceResourceStatusSuccess",
         gone_message if trained and not joined else "workspace resource is ready",
         "workspaceResourceStatusNotReady", "workspace resource is not ready"),
        (ConditionType.JOB_STARTED, (run.started or trained) and not failed, "WorkspaceTuningJobStatusStarted",
         "Tuning job has started", started, status.message if failed else "Tuning job has not started"),
        (ConditionType.WORKSPACE_SUCCEEDED, status.phase is Phase.SUCCEEDED, "workspaceSucceeded", "workspace succeeds",
         "workspacePending", "the adapter is not ready yet"),
    ]  # fmt: skip


def _tunes(state: WorkspaceState) -> bool:
    return state.spec.plan is not None and state.spec.plan.kind == "tuning"


def preflight_condition(checks: Sequence[Check]) -> tuple[ConditionStatus, str, str]:
    """Returns status, reason and message for the checks made so far: False lists every failed check, True the checks
    with unknown result."""
    failed = [check for check in checks if check.outcome == "failed"]
    if failed:
        message = f"{len(failed)} of {len(checks)} checks failed: {_each(failed)}"
        return "False", failed[0].reason, message
    unknown = [check for check in checks if check.outcome == "unknown"]
    passed = f"passed: {', '.join(check.name for check in checks if check.outcome == 'passed') or 'none'}"
    return "True", "PreflightPassed", f"{passed}; unknown: {_each(unknown)}" if unknown else passed


def status_document(state: WorkspaceState, now: datetime) -> dict[str, Any]:
    """Returns the status as JSON, with the resource's field names."""
    refresh_conditions(state, now)
    spec, known, resources = state.spec, state.status, state.resources
    known.kaito_state = _kaito_state(state)
    plan = spec.plan
    status = WorkspaceStatus(
        worker_nodes=resources.nodes or None,
        state=known.kaito_state,
        conditions=known.conditions,
        target_node_count=plan.node_count if plan else None,
        phase=known.phase,
        step=known.step,
        reason=known.reason,
        message=known.message,
        since=known.since,
        deadline=known.deadline,
        observed_generation=spec.observed,
        revision=known.revision,
        plan=_summary(state),
        cost=resources.ledger.total(now),
        data=_data(resources.run.data),
        adapter=_adapter(resources.run.published or (spec.good.published if spec.good else None)),
    )
    return {part: {} for part in (*_PARTS, *(_PARTS_OF_TRAININGS if _tunes(state) else ()))} | status.wire()


def _kaito_state(state: WorkspaceState) -> State:
    if not _tunes(state):
        return inference_state(ready=state.status.phase is Phase.READY, previous=state.status.kaito_state)
    return tuning_state(
        complete=state.status.phase is Phase.SUCCEEDED,
        failed=state.status.phase in _STOPPED,
        active=state.resources.run.started,
    )


def _data(found: DataFound | None) -> TrainingData | None:
    if found is None or not found.digest:
        return None
    warnings = [bounded(one_line(warning), WARNING_MAX) for warning in found.warnings[:WARNINGS_SHOWN]]
    numbers = found.model_dump(include={"digest", "rows", "usable", "bytes", "tokens"})
    return TrainingData(**numbers, warnings=warnings or None)


def _adapter(published: PublishedAdapter | None) -> PublishedImage | None:
    if published is None or not published.digest:
        return None
    return PublishedImage(**published.model_dump(include={"image", "digest", "pinned", "bytes"}))


def current_details(state: WorkspaceState) -> str:
    """Returns Markdown for the Temporal UI: the phase, the resources held, and the duration of each step."""
    status = state.status
    since, message = _clock(status.since), plain_markdown(status.message)
    head = f"**{status.phase}** since {since}, generation {state.spec.observed}: {message}"
    held = ", ".join(f"{holding.kind} `{holding.name}`" for holding in state.resources.holdings) or "nothing"
    rows = [f"| {record.step} | {record.outcome} | {_took(record)} |" for record in status.steps]
    table = ["| step | outcome | took |", "|---|---|---|", *rows] if rows else []
    return "\n".join([head, "", f"Holds: {held}", "", *table])


def _each(checks: Sequence[Check]) -> str:
    return "; ".join(f"{check.name}: {check.message}" for check in checks)


def _set(
    state: WorkspaceState,
    type_: ConditionType,
    status: ConditionStatus,
    reason: str,
    message: str,
    now: datetime,
    about: int | None = None,
) -> None:
    state.status.conditions = set_condition(
        state.status.conditions,
        type_,
        status=status,
        reason=reason,
        message=message,
        now=now,
        observed_generation=state.spec.observed if about is None else about,
    )


def _summary(state: WorkspaceState) -> PlanSummary | None:
    plan = state.spec.plan
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
        tried=[f"{one.option}: {one.reason}: {one.message}" for one in state.status.tried] or None,
        price_per_hour=f"{plan.price_per_hour:.2f}" if priced else None,
        currency="USD" if priced else None,
        model=plan.model or None,
        model_revision=state.spec.pinned.revision if state.spec.pinned else None,
    )


def _took(record: StepRecord) -> str:
    return f"{(record.ended - record.started).total_seconds():.1f} s" if record.ended else "…"


def _clock(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC") if moment else "now"
