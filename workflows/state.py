"""Everything a Workspace's workflow knows, as one model: it survives continue-as-new and answers the `progress` query.

Fields are only ever added, with defaults, so that a newer release goes on with what an older one has written. No sets:
their order differs between workers.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from activities.contract.payloads import Check, PinnedModel, Plan, PlanRequest, WorkspaceKey
from activities.contract.plan import Option
from activities.contract.tuning import DataFound, PublishedAdapter, Trained
from api.resource.conditions import Condition
from api.resource.status import Phase, State, Step
from presets.plan.document import PlanReport
from workflows.ledger import Ledger

Settled = Literal["nothing", "ready", "failed"]
StepOutcome = Literal["running", "done", "failed", "cancelled"]


class HeldResource(BaseModel):
    """Something that exists, or may exist, because of us; recorded before the call that makes it."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["node_pool", "workload", "volume"]
    name: str
    instance_type: str = ""


class StepRecord(BaseModel):
    """One step of the generation's way: when it began, when and how it ended."""

    step: Step
    started: datetime
    ended: datetime | None = None
    outcome: StepOutcome = "running"


class FailedFallback(BaseModel):
    """A way to get the nodes that failed in this pass, and why."""

    option: str
    reason: str
    message: str


class TuningRun(BaseModel):
    """How far a training has come, for a pass that begins again: what is done is not done twice. `training_digest` says
    what the rest is about; `started` that the Job's program has run."""

    training_digest: str = ""
    data: DataFound | None = None
    started: bool = False
    trained: Trained | None = None
    published: PublishedAdapter | None = None


class Spec(BaseModel):
    """What the object asks for, and what was decided from it. `desired` is the newest generation heard of, `observed`
    the one that the last pass was about; `report` is the plan's, for people."""

    desired: int = 0
    observed: int = 0
    deleting: bool = False
    plan: Plan | None = None
    report: PlanReport | None = None
    pinned: PinnedModel | None = None

    def decide(self, option: Option) -> None:
        """This option is carried out from now on."""
        self.plan, self.report = option.plan, option.report


class Resources(BaseModel):
    """What exists because of us, and what it has cost. `lost` says that a node is gone and not replaced yet, `loss`
    what was said of it; `evictions` counts spot machines that were taken back, by option; `run` is a training's."""

    holdings: list[HeldResource] = Field(default_factory=list)
    pool_ready: bool = False
    nodes: list[str] = Field(default_factory=list)
    lost: bool = False
    loss: str = ""
    evictions: dict[str, int] = Field(default_factory=dict)
    ledger: Ledger = Field(default_factory=Ledger)
    run: TuningRun = Field(default_factory=TuningRun)

    def holds(self, kind: str) -> bool:
        """Whether anything of this kind is recorded as ours."""
        return any(holding.kind == kind for holding in self.holdings)

    @property
    def to_release(self) -> list[HeldResource]:
        """What a failed pass may not keep. The volume with checkpoints and adapter stays until the delete."""
        return [holding for holding in self.holdings if holding.kind != "volume"]

    @property
    def nodes_are_there(self) -> bool:
        """Whether all nodes that were bought are there, as far as is known."""
        return self.holds("node_pool") and self.pool_ready and not self.lost

    def acquire(self, holding: HeldResource) -> None:
        """Records intent; the same thing twice is once."""
        if holding not in self.holdings:
            self.holdings.append(holding)

    def release(self, kind: str) -> None:
        """Records that a release was verified."""
        self.holdings = [holding for holding in self.holdings if holding.kind != kind]


class Status(BaseModel):
    """Where the Workspace stands, for people. `settled` is what the last pass came to; `checks`, `tried` and `steps`
    are that pass's."""

    settled: Settled = "nothing"
    phase: Phase = Phase.PENDING
    kaito_state: State | None = None
    reason: str = "workspacePending"
    message: str = "the Workspace was seen and is about to be planned"
    since: datetime | None = None
    deadline: datetime | None = None
    checks: list[Check] = Field(default_factory=list)
    tried: list[FailedFallback] = Field(default_factory=list)
    steps: list[StepRecord] = Field(default_factory=list)
    conditions: list[Condition] = Field(default_factory=list)

    @property
    def step(self) -> Step | None:
        """The step under way that began last; the last one of all when none is under way."""
        running = [record.step for record in self.steps if record.outcome == "running"]
        return running[-1] if running else (self.steps[-1].step if self.steps else None)


class Control(BaseModel):
    """What people have asked for beside the Workspace. `paused` is the update's pause, `held_back` the annotation's;
    `extra_time` replaces deadlines of the plan, in seconds."""

    paused: bool = False
    held_back: bool = False
    retry_token: str = ""
    extra_time: dict[str, int] = Field(default_factory=dict)

    @property
    def resting(self) -> bool:
        """Whether nothing new may begin."""
        return self.paused or self.held_back


class WorkspaceState(BaseModel):
    """One Workspace, by who writes what: the object, our purchases, the pass, people."""

    model_config = ConfigDict(extra="ignore")

    key: WorkspaceKey
    spec: Spec = Field(default_factory=Spec)
    resources: Resources = Field(default_factory=Resources)
    status: Status = Field(default_factory=Status)
    control: Control = Field(default_factory=Control)


def request_of(state: WorkspaceState) -> PlanRequest:
    """What the planner is asked: nodes come for life from where the first plan had them."""
    held = state.spec.plan.provider if state.spec.plan else None
    return PlanRequest(**state.key.model_dump(), held=held)
