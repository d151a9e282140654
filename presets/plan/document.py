"""The plan document of `modelyard plan` and the admin endpoint: all that is known before nodes are bought, as JSON.

Keys are camelCase as in a Workspace; GiB are written GiB. Numbers that cannot be known are null, never 0. The document
is also recorded in histories, beside the workflow's Plan: fields are only ever added, with defaults.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from api import labels
from presets.plan.durations import StepTime


class PlanPart(BaseModel):
    """A part of the document."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True)

    def wire(self) -> dict[str, Any]:
        """The JSON form, every key present."""
        return self.model_dump(mode="json", by_alias=True)


class Finding(PlanPart):
    """An error or a warning: the reason that the status would give, where it is written, and what to change."""

    reason: str
    path: str = ""
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class GpuMemory(PlanPart):
    """GiB on each GPU, the fullest one; weights to not_given make up `usable`."""

    weights: float
    kv_cache: float
    activations: float
    cuda_graphs: float
    overhead: float
    not_given: float
    usable: float


class TrainingMemory(PlanPart):
    """GiB on each GPU while training; weights to free make up `usable`. `adapter` is the adapter with its gradients and
    the optimizer's state; of `free` a part is for fragments and stays so."""

    weights: float
    adapter: float
    activations: float
    overhead: float
    free: float
    usable: float


class TrainingShape(PlanPart):
    """What is trained: `batch_size` rows of up to `max_length` tokens at once on each GPU, `trained_parameters` are
    those of the adapter. `packed_bits` is 0 where the model's weights are not packed."""

    max_length: int
    batch_size: int
    accumulation: int
    rank: int
    modules: tuple[str, ...]
    trained_parameters: int
    packed_bits: int = 0
    gradient_checkpointing: bool = True


class MinutesRange(PlanPart):
    """From `least` to `most`."""

    least: float
    most: float


class PriceRange(MinutesRange):
    """US dollars, from `least` to `most`."""


class AlternativeMachine(PlanPart):
    """A machine on which one node would do. `max_model_len` is 0 for a training, which has no context."""

    instance_type: str
    max_model_len: int = 0
    price_per_hour: float | None


class PlanReport(PlanPart):
    """One Workspace's plan. It can be carried out exactly when `errors` is empty."""

    namespace: str
    name: str
    kind: str = Field("preset", description="preset, template or tuning.")
    provider: str = "aks"
    model: str = ""
    served_model_name: str = ""
    weights_gib: float | None = Field(None, alias="weightsGiB")
    nodes: int | None = None
    replicas: int = 1
    nodes_per_replica: int | None = None
    instance_type: str = ""
    gpu_model: str = ""
    gpus_per_node: int | None = None
    tensor_parallel: int | None = None
    pipeline_parallel: int | None = None
    data_parallel: int | None = None
    max_model_len: int | None = Field(None, description="Tokens of one sequence.")
    sequences_at_full_length: float | None = Field(None, description="How many of them fit at once on one replica.")
    kv_cache_dtype: str = "auto"
    gpu_memory_utilization: float | None = None
    memory_per_gpu_gib: GpuMemory | None = Field(None, alias="memoryPerGpuGiB")
    vllm_options: dict[str, JsonValue] = Field({}, description="vLLM options that this model needs.")
    disk_gib: int | None = Field(None, alias="diskGiB")
    region: str = ""
    price_per_hour: float | None = Field(None, description="US dollars for all nodes.")
    price_until_ready: PriceRange | None = Field(None, description="Of a training: until its first step.")
    steps: tuple[StepTime, ...] = ()
    minutes_until_ready: MinutesRange | None = Field(None, description="Of a training: until its first step.")
    preflight: tuple[str, ...] = ()
    released_on_failure: tuple[str, ...] = ()
    ways_to_get_nodes: tuple[str, ...] = Field((), description="In the order in which they are tried, if several.")
    alternatives: tuple[AlternativeMachine, ...] = ()
    warnings: tuple[Finding, ...] = ()
    errors: tuple[Finding, ...] = ()
    method: str = Field("", description="lora or qlora, for a training.")
    training: TrainingShape | None = Field(None, description="What is trained.")
    training_gib: TrainingMemory | None = Field(None, alias="trainingGiB", description="On each GPU, while training.")
    volume_gib: int | None = Field(
        None, alias="volumeGiB", description="The volume of a training: data, prepared rows, checkpoints, adapter."
    )
    kept_on_failure: tuple[str, ...] = Field((), description="What stays until the Workspace is deleted.")
    gpu_resource: str = Field(labels.GPU_RESOURCE, description="What pods ask nodes for: whole GPUs or MIG slices.")
