"""Status conditions: their types, and how a list of them changes.

Types are KAITO's, but for `PreflightPassed` and `GenerationApplied`. `WorkspaceReady` of its first releases became
`WorkspaceSucceeded` in v0.3; only the latter is written, and the WORKSPACEREADY column of v1alpha1 reads it, so that
the column is True exactly when the model serves, which an older generation may do while the newest has failed. Reasons
are in `reasons`; the workflow decides which condition a step sets.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from api.resource.wire import Observed, Timestamp

ConditionStatus = Literal["True", "False", "Unknown"]
MESSAGE_MAX = 32768  # metav1.Condition's limit; the API server refuses a whole status over it


class ConditionType(StrEnum):
    """What a condition is about; each is set by one step only."""

    PREFLIGHT_PASSED = "PreflightPassed"
    NODE_CLAIM_READY = "NodeClaimReady"
    NODES_READY = "NodesReady"
    RESOURCE_READY = "ResourceReady"
    MODEL_MIRROR_READY = "ModelMirrorReady"
    INFERENCE_READY = "InferenceReady"
    JOB_STARTED = "JobStarted"
    BENCHMARK_COMPLETED = "BenchmarkCompleted"
    WORKSPACE_SUCCEEDED = "WorkspaceSucceeded"
    GENERATION_APPLIED = "GenerationApplied"
    WORKSPACE_DELETING = "WorkspaceDeleting"


class Condition(Observed):
    """Kubernetes' metav1.Condition."""

    type: str = Field(description="What the condition is about.", max_length=316)
    status: ConditionStatus = Field(description="True, False or Unknown.")
    reason: str = Field(
        description="The cause in one CamelCase word.",
        min_length=1,
        max_length=1024,
        pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
    )
    message: str = Field(description="The cause in one sentence that a person can act on.", max_length=MESSAGE_MAX)
    last_transition_time: Timestamp = Field(description="When status last changed.")
    observed_generation: int | None = Field(
        None, description="The generation this was found for.", ge=0, json_schema_extra={"format": "int64"}
    )


def find_condition(conditions: Sequence[Condition], type_: str) -> Condition | None:
    """The condition of that type, None when it was never set."""
    return next((condition for condition in conditions if condition.type == type_), None)


def is_true(conditions: Sequence[Condition], type_: str) -> bool:
    """Whether the condition of that type is there and True."""
    found = find_condition(conditions, type_)
    return found is not None and found.status == "True"


def set_condition(
    conditions: Sequence[Condition],
    type_: str,
    *,
    status: ConditionStatus,
    reason: str,
    message: str,
    now: datetime,
    observed_generation: int,
) -> list[Condition]:
    """The list with this condition set; its place is kept, and lastTransitionTime moves only when status changes."""
    before = find_condition(conditions, type_)
    unchanged = before is not None and before.status == status
    after = Condition(
        type=str(type_),
        status=status,
        reason=reason,
        message=_shortened(message),
        last_transition_time=before.last_transition_time if before is not None and unchanged else now,
        observed_generation=observed_generation,
    )
    if before is None:
        return [*conditions, after]
    return [after if condition is before else condition for condition in conditions]


def _shortened(message: str) -> str:
    return message if len(message) <= MESSAGE_MAX else message[: MESSAGE_MAX - 1] + "…"
