"""serve.json: the configuration of the serving container, as a typed contract.

`activities` builds it from the plan and puts it into a ConfigMap; `runtime.serve` reads it and renders vLLM's
arguments. Fields are only ever added, with defaults: a running pod may hold a file of an older controller, or of a
newer one.
"""

from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.pods.adapter_records import ADAPTER_READY
from api.pods.weights import COMPLETE_MARKER, FETCH_PORT, WEIGHTS_ROOT, weights_path

__all__ = [
    "COMPLETE_MARKER",
    "CONFIG_PATH",
    "FETCH_PORT",
    "SERVE_PORT",
    "WEIGHTS_ROOT",
    "AdapterMount",
    "ServeConfig",
    "weights_path",
]

SERVE_PORT = 5000
CONFIG_PATH = "/etc/modelyard/serve.json"


class AdapterMount(BaseModel):
    """One LoRA adapter: the model name that clients ask for, and the folder that will hold it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    path: str
    rank: int | None = Field(None, ge=1, description="Its highest; None until the adapter is there.")

    @property
    def ready_marker(self) -> str:
        """The record that is there when the adapter is."""
        return str(PurePosixPath(self.path) / ADAPTER_READY)


class ServeConfig(BaseModel):
    """Everything `runtime.serve` needs to know; it reads nothing else."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str = Field(description="Hugging Face repository, organisation/name.")
    revision: str = Field(description="The commit that was resolved and pinned; never a branch.")
    weights_path: str = Field(description="Folder with the weights: /weights/<revision>.")
    fetched: bool = Field(
        True, description="Whether the fetcher brings the weights, and marks them when they are there."
    )
    served_model_name: str = Field(description="The model name that clients ask for.")
    port: int = Field(SERVE_PORT, ge=1, le=65535)
    max_model_len: int | None = Field(None, ge=1, description="Tokens; None lets vLLM take what fits.")
    dtype: str = "auto"
    tensor_parallel_size: int = Field(1, ge=1)
    pipeline_parallel_size: int = Field(1, ge=1)
    data_parallel_size: int = Field(1, ge=1)
    gpu_memory_utilization: float | None = Field(None, gt=0, le=1, description="Share of GPU memory; None on CPU.")
    kv_cache_gib: float | None = Field(None, gt=0, description="GiB of main memory for the KV cache; CPU only.")
    adapters: list[AdapterMount] = Field(default_factory=list)
    trust_remote_code: bool = False
    weights_deadline_s: int = Field(3600, ge=1, description="Seconds to wait for the weights before giving up.")
    drain_s: int = Field(55, ge=0, description="Seconds that requests in flight have after SIGTERM.")
    model_options: dict[str, JsonValue] = Field(
        default_factory=dict, description="vLLM arguments that the model needs: parsers and file formats."
    )
    extra: dict[str, JsonValue] = Field(
        default_factory=dict, description="vLLM arguments of the user's inference_config.yaml; they win over ours."
    )

    @property
    def complete_marker(self) -> str:
        """The file that the fetcher writes last."""
        return str(PurePosixPath(self.weights_path) / COMPLETE_MARKER)
