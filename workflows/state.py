"""The complete state of a Workspace's workflow as one model: passed to continue-as-new, returned by `progress`.

Fields are only ever added, with defaults, so that a newer release can load the state of an older one. Sets are not
used: their order differs between workers.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from activities.contract.models import PinnedModel
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Check, Option, Plan, PlanRequest
from activities.contract.tuning import DataFound, PublishedAdapter, Trained
from api.resource.conditions import Condition
from api.resource.status import Phase, State, Step
from presets.plan.document import PlanReport
from workflows.last_good import FailedEdit, Good
from workflows.ledger import Ledger

Settled = Literal["nothing", "ready", "failed"]
StepOutcome = Literal["running", "done", "failed", "cancelled"]


class HeldResource(BaseModel):
    """A resource that this workflow created or may have created; recorded before the call that creates it."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["node_pool", "workload", "volume"]
    name: str
    instance_type: str = ""


class StepRecord(BaseModel):
    """One step of a pass: when it began, when and how it ended."""

    step: Step
    started: datetime
    ended: datetime | None = None
    outcome: StepOutcome = "running"


class FailedFallback(BaseModel):
    """A purchase option that failed in this pass, and why."""

    option: str
    reason: str
    message: str


class TuningRun(BaseModel):
    """Progress of a training, so that a restarted pass repeats nothing. `training_digest` identifies the training that
    the other fields belong to; `started`: the Job's program has run."""

    training_digest: str = ""
    data: DataFound | None = None
    started: bool = False
    trained: Trained | None = None
    published: PublishedAdapter | None = None


class Spec(BaseModel):
    """Generations and the plan made from them. `desired` is the newest known generation, `observed` the one that the
    last pass reconciled; `report` is the plan's user-facing report; `good` is what has served last, `failed` the edit
    that it serves instead of."""

    desired: int = 0
    observed: int = 0
    deleting: bool = False
    plan: Plan | None = None
    report: PlanReport | None = None
    pinned: PinnedModel | None = None
    good: Good | None = None
    failed: FailedEdit | None = None

    def decide(self, option: Option) -> None:
        """Makes this option's plan the current one."""
        self.plan, self.report = option.plan, option.report

    def go_back(self) -> None:
        """Makes the plan current that has served last."""
        if self.good is not None:
            self.plan, self.report, self.pinned = self.good.plan, self.good.report, self.good.pinned

    @property
    def serving_generation(self) -> int:
        """The generation that conditions are about: an older one while it serves instead of one that failed."""
        return self.plan.generation if self.failed is not None and self.plan is not None else self.observed


class Resources(BaseModel):
    """Resources held, and their cost. `protected`: the finalizer was there when the generation was planned; `lost`: a
    node is gone and not replaced yet; `loss`: the message about it; `evictions` counts spot evictions by option; `run`
    is a training's progress; `made`: the uids of the workload's objects by kind, as the last apply has returned them,
    {} while one is under way; `kept`: the digest of the workload that is kept for a failed edit."""

    holdings: list[HeldResource] = Field(default_factory=list)
    protected: bool = False
    pool_ready: bool = False
    nodes: list[str] = Field(default_factory=list)
    lost: bool = False
    loss: str = ""
    evictions: dict[str, int] = Field(default_factory=dict)
    ledger: Ledger = Field(default_factory=Ledger)
    run: TuningRun = Field(default_factory=TuningRun)
    made: dict[str, str] = Field(default_factory=dict)
    kept: str = ""

    def holds(self, kind: str) -> bool:
        """Whether a resource of this kind is recorded as held."""
        return any(holding.kind == kind for holding in self.holdings)

    @property
    def to_release(self) -> list[HeldResource]:
        """What must be released after a failed pass. The volume with checkpoints and adapter stays until the delete."""
        return [holding for holding in self.holdings if holding.kind != "volume"]

    @property
    def nodes_are_there(self) -> bool:
        """Whether, as far as is known, all bought nodes are present."""
        return self.holds("node_pool") and self.pool_ready and not self.lost

    def acquire(self, holding: HeldResource) -> None:
        """Records the intent to create a resource; idempotent."""
        if holding not in self.holdings:
            self.holdings.append(holding)

    def release(self, kind: str) -> None:
        """Records that a release was verified."""
        self.holdings = [holding for holding in self.holdings if holding.kind != kind]
        if kind == "workload":
            self.made = {}


class Status(BaseModel):
    """The user-facing status. `settled` is the outcome of the last pass; `checks`, `tried` and `steps` belong to that
    pass, and so does `attempt`, the digest of the plan that it carries out; `revision` is the last status'
    (milliseconds, but always more than the one before)."""

    settled: Settled = "nothing"
    attempt: str = ""
    phase: Phase = Phase.PENDING
    kaito_state: State | None = None
    reason: str = "workspacePending"
    message: str = "the Workspace was seen and is about to be planned"
    since: datetime | None = None
    deadline: datetime | None = None
    revision: int = 0
    checks: list[Check] = Field(default_factory=list)
    tried: list[FailedFallback] = Field(default_factory=list)
    steps: list[StepRecord] = Field(default_factory=list)
    conditions: list[Condition] = Field(default_factory=list)

    @property
    def step(self) -> Step | None:
        """The running step that began last; if none is running, the last step."""
        running = [record.step for record in self.steps if record.outcome == "running"]
        return running[-1] if running else (self.steps[-1].step if self.steps else None)


class Control(BaseModel):
    """Requests made outside the spec. `paused`: set by the update; `held_back`: set by the pause annotation; `look`:
    whether to compare what runs with what is wanted; `extra_time` replaces deadlines of the plan, in seconds;
    `searchable`: whether Temporal has the search attributes, as those say who start and signal the workflow."""

    paused: bool = False
    held_back: bool = False
    look: bool = False
    retry_token: str = ""
    extra_time: dict[str, int] = Field(default_factory=dict)
    searchable: bool = True

    @property
    def resting(self) -> bool:
        """Whether no new pass may begin."""
        return self.paused or self.held_back


class WorkspaceState(BaseModel):
    """State of one Workspace, grouped by writer: the object, purchases, the pass, user requests."""

    model_config = ConfigDict(extra="ignore")

    key: WorkspaceKey
    spec: Spec = Field(default_factory=Spec)
    resources: Resources = Field(default_factory=Resources)
    status: Status = Field(default_factory=Status)
    control: Control = Field(default_factory=Control)


def request_of(state: WorkspaceState) -> PlanRequest:
    """Returns the planner's input; the node provider of the first plan is kept for the Workspace's lifetime."""
    held = state.spec.plan.provider if state.spec.plan else None
    return PlanRequest(**state.key.model_dump(), held=held)
