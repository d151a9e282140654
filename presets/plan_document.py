"""What `modelyard plan` and the admin endpoint answer: everything that is known before anything is bought, as JSON.

Keys are camelCase as in a Workspace; GiB are written GiB. Numbers that cannot be known are null, never 0. The document
is also recorded in histories, as a part of the workflow's Plan: fields are only ever added, with defaults.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from presets.plan_steps import StepTime


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


class MinutesRange(PlanPart):
    """From `least` to `most`."""

    least: float
    most: float


class PriceRange(MinutesRange):
    """US dollars, from `least` to `most`."""


class AlternativeMachine(PlanPart):
    """A machine on which one node would do."""

    instance_type: str
    max_model_len: int
    price_per_hour: float | None


class PlanDocument(PlanPart):
    """One Workspace's plan. It can be carried out exactly when `errors` is empty."""

    namespace: str
    name: str
    kind: str = "preset"
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
    vllm_options: dict[str, JsonValue] = Field({}, description="What vLLM is told about this model.")
    disk_gib: int | None = Field(None, alias="diskGiB")
    region: str = ""
    price_per_hour: float | None = Field(None, description="US dollars for all nodes.")
    price_until_ready: PriceRange | None = None
    steps: tuple[StepTime, ...] = ()
    minutes_until_ready: MinutesRange | None = None
    preflight: tuple[str, ...] = ()
    released_on_failure: tuple[str, ...] = ()
    alternatives: tuple[AlternativeMachine, ...] = ()
    warnings: tuple[Finding, ...] = ()
    errors: tuple[Finding, ...] = ()
