"""What workflows and activities of a training say to each other, as `payloads.py` has it for everything else.

The same rules: names and small values, and fields are only ever added, with defaults.
"""

from typing import Literal

from pydantic import Field

from activities.contract.payloads import Payload, PinnedModel, Plan, WorkspaceKey

TuningPart = Literal["fetch", "train", "publish"]
"""What one Job of a tuning does; also its pods' label modelyard.dev/component."""


class JobRequest(Payload):
    """Which part of a tuning is to run, with the model's commit where it is known."""

    plan: Plan
    part: TuningPart
    pinned: PinnedModel | None = None


class JobApplied(Payload):
    """The Job that runs, or has run, for the digest: pods of another digest are not this Job's."""

    name: str
    digest: str


class JobWait(Payload):
    """Which Job to wait for: until its program has `started` on a node, or until it has `ended`."""

    workspace: WorkspaceKey
    part: TuningPart
    digest: str
    until: Literal["started", "ended"] = "ended"


class DataFound(Payload):
    """What there is to train on. Field for field what the pod that fetched it tells."""

    digest: str = ""
    rows: int = 0
    usable: int = 0
    bytes: int = 0
    tokens: int = 0
    tokens_by: str = ""
    warnings: list[str] = Field(default_factory=list)


class Trained(Payload):
    """How a training ended. Field for field what the pod tells, as far as it is worth remembering."""

    step: int = 0
    steps_trained: int = 0
    loss: float | None = None
    eval_loss: float | None = None
    eval_loss_base: float | None = None
    tokens_per_s: float | None = None
    attempts: int = 0
    adjustments: list[str] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)


class PublishedAdapter(Payload):
    """The adapter's image, as it was read back."""

    image: str = ""
    digest: str = ""
    pinned: str = ""
    bytes: int = 0
    uploaded: int = 0
    seconds: float = 0.0


class JobDone(Payload):
    """What the Job's pod said last, by part; nothing where the pod was gone before it could be asked."""

    data: DataFound | None = None
    trained: Trained | None = None
    published: PublishedAdapter | None = None


class TuningKey(Payload):
    """A Workspace whose Jobs are to go, and whether its volume goes with them."""

    workspace: WorkspaceKey
    volume: bool = False


class AdapterRequest(Payload):
    """An adapter's image that must be in its registry, and the Secret with the account that pushed it."""

    workspace: WorkspaceKey
    image: str
    digest: str
    secret: str = ""
