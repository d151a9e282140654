"""Models of `status`: KAITO's fields, and the Workspace's phase and step.

Phases, steps and states are closed lists here, but plain strings in the CRD: a cluster whose CRD is older than the
controller must not refuse a status. Fields are parsed one by one, so that an invalid field written by another program
loses only that field.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, WithJsonSchema

from api.resource.conditions import Condition
from api.resource.wire import Observed, Timestamp


class State(StrEnum):
    """KAITO's `status.state`."""

    PENDING = "Pending"
    READY = "Ready"
    NOT_READY = "NotReady"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class Phase(StrEnum):
    """Where a Workspace stands, in one word."""

    PENDING = "Pending"
    PREFLIGHT = "Preflight"
    PROVISIONING = "Provisioning"
    DEPLOYING = "Deploying"
    VERIFYING = "Verifying"
    READY = "Ready"
    NOT_READY = "NotReady"
    FETCHING_DATA = "FetchingData"
    TRAINING = "Training"
    PUBLISHING = "Publishing"
    SUCCEEDED = "Succeeded"
    PAUSED = "Paused"
    FAILED = "Failed"
    CONTROLLER_ERROR = "ControllerError"
    DELETING = "Deleting"


class Step(StrEnum):
    """The steps, by the names that code, Temporal's UI, status, metrics and logs use."""

    SIZE = "Size"
    PREFLIGHT = "Preflight"
    PROVISION_NODES = "ProvisionNodes"
    AWAIT_NODES = "AwaitNodes"
    PREPARE_MODEL = "PrepareModel"
    DEPLOY = "Deploy"
    AWAIT_SERVING = "AwaitServing"
    VERIFY = "Verify"
    RESTORE = "Restore"
    FETCH_DATA = "FetchData"
    TRAIN = "Train"
    PUBLISH = "Publish"
    UNDEPLOY = "Undeploy"
    RELEASE_NODES = "ReleaseNodes"
    FORGET = "Forget"


_STRING = WithJsonSchema({"type": "string"})


class Metric(Observed):
    """One measured figure of the benchmark."""

    description: str = Field(description="What was measured, and under which load.")
    value: str = Field(description="The figure, as a string.")
    unit: str | None = Field(None, description="Its unit, for instance tokens/min.")
    config: dict[str, str] | None = Field(None, description="The benchmark's parameters.")


class Performance(Observed):
    """What the benchmark measured."""

    metrics: dict[str, Metric] | None = Field(None, description="Figures by name, for instance peakTokensPerMinute.")


class PlanSummary(Observed):
    """What this Workspace needs, as planned before anything was bought."""

    nodes: int | None = Field(None, description="How many nodes.", json_schema_extra={"format": "int32"})
    provider: Annotated[Literal["aks", "karpenter", "byo"], _STRING] | None = Field(
        None, description="Provider of the nodes: aks, karpenter or byo. It never changes."
    )
    instance_type: str | None = Field(None, description="Machine type of the nodes.")
    capacity_type: str | None = Field(None, description="spot or on-demand, where nodes are bought.")
    zone: str | None = Field(None, description="The zone that the nodes are requested in.")
    tried: list[str] | None = Field(
        None, description="Purchase options that this pass has tried before, each with its reason."
    )
    gpus_per_node: int | None = Field(None, description="GPUs of one node.", json_schema_extra={"format": "int32"})
    price_per_hour: str | None = Field(None, description="Price of all nodes per hour, a decimal number as a string.")
    currency: str | None = Field(None, description="Currency of the price, for instance USD.")
    model: str | None = Field(None, description="The model's repository.")
    model_revision: str | None = Field(None, description="The commit of the model that is pinned.")


class Cost(Observed):
    """What this Workspace has cost so far, at list prices: up to `as_of`, and what every hour since adds."""

    spent: str | None = Field(
        None, description="Spent from the first node's purchase until asOf, a decimal number as a string."
    )
    per_hour: str | None = Field(
        None,
        description="What every hour after asOf adds, a decimal number as a string; nothing while nothing is held.",
    )
    currency: str | None = Field(None, description="Currency of the amount, for instance USD.")
    node_seconds: int | None = Field(
        None, description="Node seconds held until asOf.", json_schema_extra={"format": "int64"}
    )
    nodes: int | None = Field(
        None, description="Nodes that are paid for since asOf.", json_schema_extra={"format": "int32"}
    )
    as_of: Timestamp | None = Field(None, description="When this was computed.")


class TrainingData(Observed):
    """What a training trains on, as it was found before anything was bought."""

    digest: str | None = Field(None, description="SHA-256 over names and contents of the data files.")
    rows: int | None = Field(None, description="Rows in the data.", json_schema_extra={"format": "int64"})
    usable: int | None = Field(None, description="Rows that can be learnt from.", json_schema_extra={"format": "int64"})
    bytes: int | None = Field(None, description="Size of the data files.", json_schema_extra={"format": "int64"})
    tokens: int | None = Field(
        None, description="About as many as one pass over the data trains on.", json_schema_extra={"format": "int64"}
    )
    warnings: list[str] | None = Field(None, description="What of the data cannot be learnt, or is left out.")


class Training(Observed):
    """How far a training is. Decimal numbers are strings."""

    phase: str | None = Field(None, description="What the training is doing.")
    step: int | None = Field(None, description="Steps done.", json_schema_extra={"format": "int64"})
    total_steps: int | None = Field(None, description="Steps in all.", json_schema_extra={"format": "int64"})
    epoch: str | None = Field(None, description="Passes over the data.")
    loss: str | None = Field(None, description="Loss of the last step.")
    eval_loss: str | None = Field(None, description="Loss on the rows held out, with the adapter.")
    eval_loss_base: str | None = Field(None, description="Loss on the rows held out, without the adapter.")
    tokens_per_second: str | None = Field(None, description="Tokens trained on per second.")
    eta_seconds: int | None = Field(
        None, description="Seconds until the last step at the present speed.", json_schema_extra={"format": "int64"}
    )
    last_checkpoint: int | None = Field(
        None, description="The step of the last complete checkpoint.", json_schema_extra={"format": "int64"}
    )
    resumed_from: int | None = Field(
        None, description="The step of the checkpoint it went on from.", json_schema_extra={"format": "int64"}
    )
    steps_trained: int | None = Field(
        None, description="All steps ever trained, also those that were lost.", json_schema_extra={"format": "int64"}
    )
    attempts: int | None = Field(
        None, description="How often the training has begun.", json_schema_extra={"format": "int32"}
    )
    adjustments: list[str] | None = Field(None, description="What was changed so that it fits.")
    as_of: Timestamp | None = Field(None, description="When the training last reported.")


class PublishedImage(Observed):
    """The adapter's image, read back from the registry."""

    image: str | None = Field(None, description="The reference it was pushed to.")
    digest: str | None = Field(None, description="Digest of its manifest.")
    pinned: str | None = Field(None, description="The same image by its digest; give this to inference.adapters.")
    bytes: int | None = Field(None, description="Size of all layers.", json_schema_extra={"format": "int64"})


class WorkspaceStatus(Observed):
    """What is known about a Workspace."""

    worker_nodes: list[str] | None = Field(None, description="Names of the nodes that run the workload, sorted.")
    state: Annotated[State, _STRING] | None = Field(
        None, description="Pending; Ready or NotReady when serving; Running, Succeeded or Failed when tuning."
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        description="What is true of this Workspace.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    target_node_count: int | None = Field(
        None, description="How many nodes the workload needs.", json_schema_extra={"format": "int32"}
    )
    performance: Performance | None = Field(None, description="What the benchmark measured.")
    phase: Annotated[Phase, _STRING] | None = Field(None, description="The phase of the Workspace, in one word.")
    step: Annotated[Step, _STRING] | None = Field(None, description="The step under way.")
    reason: str | None = Field(None, description="Why it is in this phase, in one word; see the list of reasons.")
    message: str | None = Field(None, description="Why it is in this phase, in one sentence that a person can act on.")
    since: Timestamp | None = Field(None, description="When phase, step or reason last changed.")
    deadline: Timestamp | None = Field(None, description="Until when the step waits before the next action is taken.")
    observed_generation: int | None = Field(
        None, description="The generation this status is about.", json_schema_extra={"format": "int64"}
    )
    revision: int | None = Field(
        None,
        description="Grows with every status, so that an older one never replaces a newer one. Milliseconds.",
        json_schema_extra={"format": "int64"},
    )
    plan: PlanSummary | None = Field(None, description="What this Workspace needs.")
    cost: Cost | None = Field(None, description="What this Workspace has cost so far.")
    data: TrainingData | None = Field(None, description="What the training trains on.")
    training: Training | None = Field(None, description="How far the training is; written by its own field manager.")
    adapter: PublishedImage | None = Field(None, description="The adapter's image, once it is published.")


def parse_status(written: Mapping[str, Any] | None) -> WorkspaceStatus:
    """The status as far as it can be read: a field (or condition) of the wrong shape is left out."""
    fields = {key: value for key, value in (written or {}).items() if value is not None}
    conditions = fields.get("conditions")
    if isinstance(conditions, list):
        fields["conditions"] = [entry for entry in conditions if _readable(Condition, entry)]
    readable = {key: value for key, value in fields.items() if _readable(WorkspaceStatus, {key: value})}
    return WorkspaceStatus.model_validate(readable)


def _readable(model: type[Observed], value: Any) -> bool:
    try:
        model.model_validate(value)
    except ValidationError:
        return False
    return True


def inference_state(*, ready: bool, previous: State | None) -> State:
    """KAITO's state of a serving Workspace: once it was ready, it is NotReady rather than Pending."""
    if ready:
        return State.READY
    return State.NOT_READY if previous in (State.READY, State.NOT_READY) else State.PENDING


def tuning_state(*, complete: bool, failed: bool, active: bool) -> State:
    """KAITO's state of a tuning Workspace, from the Job's conditions.

    `failed` is the Job's Failed condition, not its count of failed pods: a Job that is trying again runs.
    """
    if complete:
        return State.SUCCEEDED
    if failed:
        return State.FAILED
    return State.RUNNING if active else State.PENDING
