"""The plan of a Workspace for workflows: what it requires, every option, and whether what runs is still wanted.

Plans of one Workspace for two machines differ in few places, those for spot and on demand in fewer: `Planned` stores
each option as its differences from the one before. Activities that execute a plan get the `Plan` alone; the report is
for people.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, JsonValue

from activities.contract.differences import Differences, changed, differences
from activities.contract.payloads import Payload, WorkspaceKey
from api import labels
from api.providers import Provider
from api.words import bounded
from presets.plan.document import PlanReport

LONGEST_DEADLINE_S: Final = 31 * 24 * 3600
"""The longest that anybody may set a deadline to: what must be waited for longer is a decision, and no date ends."""


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
    message: Annotated[str, AfterValidator(bounded)] = ""


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
    user's for NodeClaims, "" for the installation's. `memory_gib` is what nodes have that are no size of Azure's.
    `adapters` are model names. `digest` covers all that shapes the workload, so that an unchanged workload is
    recognised. `repair` requests the replacement of lost nodes.
    `load_balancer` is whose address the Service gets beside the cluster's own. `local_weights`: the node has them.
    `from_kaito`: KAITO has reconciled the Workspace, so something of it may be there (activities/preflight/kaito.py).
    `placed`: the pods select the label that no kubelet can set (activities/nodes/placement.py). `gpus_per_node` are of
    `gpu_resource`, 0 for a template that asks for none.
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
    memory_gib: int = 0
    node_labels: dict[str, str] = Field(default_factory=dict)
    image_family: str = "ubuntu"
    node_class: str = ""
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    data_parallel: int = 1
    max_model_len: int | None = None
    gpu_memory_utilization: float = 0.84
    vllm_options: dict[str, JsonValue] = Field(default_factory=dict)
    config_map: str = ""
    load_balancer: Literal["", "public", "internal"] = ""
    local_weights: bool = False
    vcpus_per_node: int = 0
    vcpu_family: str = ""
    price_per_hour: float | None = None
    max_price_per_hour: float | None = None
    zones: tuple[str, ...] = ()
    spot: bool = False
    spot_max_price: float = -1.0
    repair: bool = False
    placed: bool = False
    from_kaito: bool = False
    output_image: str = ""
    output_secret: str = ""
    method: Literal["", "lora", "qlora"] = ""
    volume_gib: int = 0
    training_digest: str = ""
    deadlines: Deadlines = Deadlines()
    digest: str = ""
    gpu_resource: str = labels.GPU_RESOURCE

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
        own = f"own node with {self.gpus_per_node} GPU" if self.gpus_per_node else "own node"
        return f"{self.node_count} x {self.instance_type or own}"

    @property
    def description(self) -> str:
        """`phi-4 on 1 x Standard_NC24ads_A100_v4`."""
        return f"{self.preset} on {self.nodes_description}"


class Preflight(Payload):
    """All checks, run concurrently before anything is bought."""

    checks: list[Check]


class Option(Payload):
    """One way to get a Workspace's nodes, planned for its machine. `report` is the whole plan, for people; `refused` is
    why this option cannot be carried out at all, and then plan and report are another machine's."""

    plan: Plan
    report: PlanReport
    refused: Check | None = None


class Planned(Payload):
    """Every option, in the order in which they are tried: the first one, and each further one as its differences from
    the one before."""

    first: Option
    fallbacks: tuple[Differences, ...] = ()
    protected: bool = False
    """Whether the Workspace has our finalizer already."""

    @classmethod
    def of(cls, options: Sequence[Option], *, protected: bool = False) -> "Planned":
        """Requires at least one option."""
        documents = [_document(option) for option in options]
        return cls(
            first=options[0],
            fallbacks=tuple(differences(before, after) for before, after in pairwise(documents)),
            protected=protected,
        )

    @property
    def options(self) -> list[Option]:
        """Every option in full."""
        documents = [_document(self.first)]
        for found in self.fallbacks:
            documents.append(changed(documents[-1], found))
        return [Option.model_validate(document) for document in documents]


class WantedRequest(PlanRequest):
    """Which Workspace, and the terms on which its nodes were bought."""

    terms: PurchaseTerms


class Wanted(Payload):
    """The digest of the workload that the Workspace wants now on the nodes it has; of its first option if these nodes
    match none of its options any more."""

    digest: str

    @classmethod
    def of(cls, options: Sequence[Option], terms: PurchaseTerms) -> "Wanted":
        """Requires at least one option."""
        held = (option.plan for option in options if option.plan.terms == terms)
        return cls(digest=next(held, options[0].plan).digest)


def _document(option: Option) -> JsonValue:
    """The option as JSON, as it is stored in a history."""
    return option.model_dump(mode="json", by_alias=True)
