"""The payloads of a training's activities: its data, its Jobs, its adapter.

The rules of `payloads.py` hold here.
"""

from typing import Literal

from pydantic import Field

from activities.contract.models import PinnedModel
from activities.contract.nodes import NodesHeld
from activities.contract.payloads import Payload, WorkspaceKey
from activities.contract.plan import Plan

TuningPart = Literal["fetch", "train", "publish"]
"""What one Job of a tuning does; also its pods' label modelyard.dev/component."""


class JobRequest(Payload):
    """Which part of a tuning to run, with the model's commit if it is known."""

    plan: Plan
    part: TuningPart
    pinned: PinnedModel | None = None


class JobApplied(Payload):
    """The Job that runs, or has run, for the digest: pods with another digest are not this Job's."""

    name: str
    digest: str


class JobWait(Payload):
    """Which Job to wait for: until its program has `started` on a node, or until it has `ended`. A loss among `nodes`
    ends the wait."""

    workspace: WorkspaceKey
    part: TuningPart
    digest: str
    until: Literal["started", "ended"] = "ended"
    nodes: NodesHeld | None = None


class DataFound(Payload):
    """The data found for training. Same fields as the report of the pod that fetched it."""

    digest: str = ""
    rows: int = 0
    usable: int = 0
    bytes: int = 0
    tokens: int = 0
    tokens_by: str = ""
    warnings: list[str] = Field(default_factory=list)


class Trained(Payload):
    """How a training ended. Same fields as the pod's report, as far as they are worth storing."""

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
    """The adapter's image, as read back from the registry."""

    image: str = ""
    digest: str = ""
    pinned: str = ""
    bytes: int = 0
    uploaded: int = 0
    seconds: float = 0.0


class JobDone(Payload):
    """The last result of the Job's pod, by part; empty if the pod was deleted before it could be read."""

    data: DataFound | None = None
    trained: Trained | None = None
    published: PublishedAdapter | None = None


class TuningKey(Payload):
    """A Workspace whose Jobs to delete, and whether to delete its volume with them. `nodes_go`: as in
    UndeployRequest."""

    workspace: WorkspaceKey
    volume: bool = False
    nodes_go: bool = False


class AdapterRequest(Payload):
    """An adapter's image that must be in its registry, and the Secret with the account that pushed it."""

    workspace: WorkspaceKey
    image: str
    digest: str
    secret: str = ""
