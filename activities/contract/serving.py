"""The payloads of activities that serve a model: its workload, its pods, and how they are.

The rules of `payloads.py` hold here.
"""

from pydantic import Field

from activities.contract.models import PinnedModel
from activities.contract.nodes import NodesHeld
from activities.contract.payloads import Payload, WorkspaceKey
from activities.contract.plan import Plan
from api import labels
from api.providers import Provider


class WorkloadRequest(Payload):
    """The plan, with the model's commit if a preset is served.

    `keep`: the digest of what has served, which is kept before it is replaced; "" if there is nothing to keep. `drop`:
    the digest of what was kept before it. `restore`: the plan's workload as it was kept, whatever the Workspace and its
    ConfigMap say by now."""

    plan: Plan
    pinned: PinnedModel | None = None
    keep: str = ""
    drop: str = ""
    restore: bool = False


class WorkloadApplied(Payload):
    """The workload's digest; pods with another digest do not count as serving. `made`: the uid of each object, by
    kind. `kept`: the digest of what is kept by now, "" if nothing was to be kept or it was not there any more."""

    digest: str
    made: dict[str, str] = Field(default_factory=dict)
    kept: str = ""


class ServingRequest(Payload):
    """Which workload to wait for, and how many pods it must have ready. A loss among `nodes` ends the wait.
    `deployment`: its uid, as the last apply has returned it; empty if it is not known. `steady`: a pod counts when it
    has stayed ready for a while, because nobody asks it for a completion."""

    workspace: WorkspaceKey
    digest: str
    replicas: int
    nodes: NodesHeld | None = None
    deployment: str = ""
    steady: bool = False


class ServingReady(Payload):
    """Pods that are ready with the wanted digest, and the nodes that they run on."""

    pods: list[str]
    nodes: list[str]


class UndeployRequest(Payload):
    """Whose workload to remove. `nodes_go`: its nodes are released next, so pods that outlast their grace go with
    them. `made`: what the last apply has returned; {} if it is not known. `keep` and `drop` as in WorkloadRequest."""

    workspace: WorkspaceKey
    nodes_go: bool = False
    made: dict[str, str] = Field(default_factory=dict)
    keep: str = ""
    drop: str = ""


class Undeployed(Payload):
    """Pods that were still there when their grace was over; [] if none is left. `kept` as in WorkloadApplied."""

    left: list[str] = Field(default_factory=list)
    kept: str = ""


class VerifyRequest(Payload):
    """Which pods must answer for which model names. A loss among `nodes` ends the requests."""

    workspace: WorkspaceKey
    pods: list[str]
    model_names: list[str]
    nodes: NodesHeld | None = None


class Completions(Payload):
    """How many completions came back, and the slowest one in seconds."""

    answered: int
    slowest_s: float


class Health(Payload):
    """What runs for a Workspace now, compared with its plan. `ready_nodes` are those that are not lost."""

    workload_found: bool
    digest: str = ""
    ready_pods: int = 0
    ready_nodes: list[str] = Field(default_factory=list)


class HealthRequest(Payload):
    """Which pods and nodes to read, and which count: pods of this digest, nodes that are ready or have not been for
    less than `unready` seconds. Releases that did not send these count nodes that are ready with so many GPUs.
    `steady`: as in `ServingRequest`."""

    workspace: WorkspaceKey
    provider: Provider
    digest: str
    gpus_per_node: int
    unready: int = 0
    gpu_resource: str = labels.GPU_RESOURCE
    steady: bool = False
