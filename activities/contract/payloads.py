"""The payloads of activities: frozen models, one input and one output for each activity.

They are payloads in Temporal histories, so they carry names and small values, never secrets, weights or rendered pods.
Fields are only ever added, with defaults: a Workspace that started under an older release still replays.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from api.providers import Provider


class Payload(BaseModel):
    """Frozen; ignores unknown fields, which a newer release may have added."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class WorkspaceKey(Payload):
    """Which Workspace: the uid tells it from a later one of the same name."""

    namespace: str
    name: str
    uid: str


class PlanRequest(WorkspaceKey):
    """Which Workspace to plan, and which provider its nodes came from, if it ever had a plan."""

    held: Provider | None = None


class Deadlines(Payload):
    """Seconds that each wait of a pass may take before it becomes a failure with a reason. `unready` is how long a node
    in use may be not ready before it counts as lost."""

    provision: int = 45 * 60
    nodes: int = 20 * 60
    model: int = 10 * 60
    serving: int = 30 * 60
    verify: int = 5 * 60
    data: int = 2 * 3600
    training: int = 7 * 24 * 3600
    publishing: int = 24 * 3600
    unready: int = 60


class Check(Payload):
    """One preflight check, by its name in api/preflight.py. `unknown` means that it could not be made (the cloud or a
    registry did not respond): a warning only. A passed check may have a message, too."""

    name: str
    outcome: Literal["passed", "failed", "unknown"]
    reason: str = ""
    message: str = ""


class PurchaseTerms(Payload):
    """Terms that a node pool keeps for life: other terms need other nodes. `spot_max_price` is US dollars an hour for
    one node, -1 for up to the on-demand price."""

    instance_type: str
    spot: bool = False
    zones: tuple[str, ...] = ()
    spot_max_price: float = -1.0


class Plan(Payload):
    """What a generation of a Workspace requires on one kind of nodes: decided once by `build_plan`, then only executed.

    Memory and disk are GiB, prices US dollars an hour for all nodes, `spot_max_price` for one. `node_class` is the
    user's for NodeClaims, "" for the installation's. `adapters` are model names. `digest` covers all that shapes the
    workload, so that an unchanged workload is recognised. `repair` requests the replacement of lost nodes.
    For a tuning: `output_image` is where the adapter is pushed, `method` lora or qlora, `volume_gib` the size of its
    own volume (0 if the user's volumes replace it), `training_digest` covers what shapes the adapter and nothing else.
    """

    key: WorkspaceKey
    generation: int
    kind: Literal["preset", "template", "tuning"]
    provider: Provider = "aks"
    model: str = ""
    requested_revision: str = "main"
    served_model_name: str = ""
    access_secret: str = ""
    adapters: tuple[str, ...] = ()
    instance_type: str
    node_count: int
    gpus_per_node: int
    pool_name: str
    os_disk_gib: int
    node_labels: dict[str, str] = {}
    image_family: str = "ubuntu"
    node_class: str = ""
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    data_parallel: int = 1
    max_model_len: int | None = None
    gpu_memory_utilization: float = 0.84
    vllm_options: dict[str, JsonValue] = {}
    config_map: str = ""
    vcpus_per_node: int = 0
    vcpu_family: str = ""
    price_per_hour: float | None = None
    max_price_per_hour: float | None = None
    zones: tuple[str, ...] = ()
    spot: bool = False
    spot_max_price: float = -1.0
    repair: bool = False
    output_image: str = ""
    output_secret: str = ""
    method: Literal["", "lora", "qlora"] = ""
    volume_gib: int = 0
    training_digest: str = ""
    deadlines: Deadlines = Deadlines()
    digest: str = ""

    @property
    def terms(self) -> PurchaseTerms:
        """The terms on which its nodes are bought."""
        return PurchaseTerms(
            instance_type=self.instance_type, spot=self.spot, zones=self.zones, spot_max_price=self.spot_max_price
        )

    @property
    def preset(self) -> str:
        """The name for search attributes and summaries."""
        return self.model or "template"

    @property
    def nodes_description(self) -> str:
        """`2 x Standard_NC24ads_A100_v4`, `2 x own node with 1 GPU`; the same in status, summaries and logs."""
        return f"{self.node_count} x {self.instance_type or f'own node with {self.gpus_per_node} GPU'}"

    @property
    def description(self) -> str:
        """`phi-4 on 1 x Standard_NC24ads_A100_v4`."""
        return f"{self.preset} on {self.nodes_description}"


class Observed(Payload):
    """The Workspace's state in the API server; `paused` is None if that was not read."""

    found: bool
    uid: str = ""
    generation: int = 0
    deleting: bool = False
    paused: bool | None = None


class Preflight(Payload):
    """All checks, run concurrently before anything is bought."""

    checks: list[Check]


class PoolKey(Payload):
    """A node pool and the Workspace that pays for it."""

    workspace: WorkspaceKey
    pool_name: str


class PoolBought(Payload):
    """The pool as ARM describes it after the operation has ended; `accepted_at` is when ARM accepted the request, the
    start of billing, if known."""

    pool_name: str
    instance_type: str
    node_count: int
    provisioning_state: str
    accepted_at: datetime | None = None


class NodesReady(Payload):
    """Nodes that are Ready with every GPU allocatable, sorted by name."""

    names: list[str]


class NodesHeld(Payload):
    """A plan's nodes by name, all ready at the last check."""

    plan: Plan
    names: list[str]


class NodesLost(Payload):
    """Nodes that do not exist any more, or have been not ready for too long, sorted by name."""

    names: list[str]


class ModelRequest(Payload):
    """Which model to resolve, and the Secret in the Workspace's namespace that holds its HF_TOKEN, if any."""

    workspace: WorkspaceKey
    model: str
    revision: str
    access_secret: str = ""


class PinnedModel(Payload):
    """A model at one commit. `weight_bytes` counts only the files that are fetched."""

    model: str
    revision: str
    weight_bytes: int


class WorkloadRequest(Payload):
    """The plan, with the model's commit if a preset is served."""

    plan: Plan
    pinned: PinnedModel | None = None


class WorkloadApplied(Payload):
    """The workload's digest; pods with another digest do not count as serving."""

    digest: str


class ServingRequest(Payload):
    """Which workload to wait for, and how many pods it must have ready."""

    workspace: WorkspaceKey
    digest: str
    replicas: int


class ServingReady(Payload):
    """Pods that are ready with the wanted digest, and the nodes that they run on."""

    pods: list[str]
    nodes: list[str]


class VerifyRequest(Payload):
    """Which pods must answer for which model names."""

    workspace: WorkspaceKey
    pods: list[str]
    model_names: list[str]


class Completions(Payload):
    """How many completions came back, and the slowest one in seconds."""

    answered: int
    slowest_s: float


class Health(Payload):
    """What runs for a Workspace now, compared with its plan."""

    workload_found: bool
    digest: str = ""
    ready_pods: int = 0
    ready_nodes: list[str] = []


class HealthRequest(Payload):
    """Which pods and nodes to read, and which count: pods of this digest, nodes with so many GPUs."""

    workspace: WorkspaceKey
    provider: Provider
    digest: str
    gpus_per_node: int


class StatusPatch(Payload):
    """The whole of the status that Modelyard owns, applied by server-side apply."""

    workspace: WorkspaceKey
    status: dict[str, object]


class Released(Payload):
    """Result of a clean-up: whether anything of ours had to be deleted, and when ARM first returned NotFound. An
    attempt that finds everything deleted by an earlier one reports `existed` too."""

    pool_name: str
    gone_at: datetime
    existed: bool = True


class SweepScope(Payload):
    """Which installation is swept; empty, because a worker serves one cluster."""


class OwnedResource(Payload):
    """A resource that costs money or blocks others, and the Workspace that its tags or labels name. A reservation names
    only the uid."""

    kind: Literal["node_pool", "node_claims", "node_reservations"]
    name: str
    workspace: WorkspaceKey


class Inventory(Payload):
    """Everything in one place that carries our tags or labels, sorted by name; `cloud` is whether node pools may exist
    as well."""

    things: list[OwnedResource] = []
    cloud: bool = True


class Providers(Payload):
    """Providers that may hold nodes of a Workspace whose workflow has no plan."""

    names: list[Provider] = []


class WorkspaceRef(Payload):
    """One Workspace that exists in the API server."""

    key: WorkspaceKey
    generation: int = 0
    deleting: bool = False


class WorkspaceList(Payload):
    """Every Workspace of the cluster."""

    workspaces: list[WorkspaceRef] = []


class RunningWorkflows(Payload):
    """The Workspaces that have a running workflow, by the uid that it was started for."""

    workspaces: list[WorkspaceKey] = []
