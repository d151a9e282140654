"""tune.json, status.json, training_summary.json: the training pod's configuration and reports, as typed contracts.

`activities` builds the first and puts it into a ConfigMap; `runtime.tune` reads it, keeps the second up to date and
writes the third beside the adapter. Fields are only ever added, with defaults: a pod may be older than its controller.
"""

from pathlib import PurePosixPath
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.configs.mounted_paths import DATA
from api.configs.training import TrainingConfig
from api.pods.weights import COMPLETE_MARKER

TUNE_PORT: Final = 5000
"""The port of /metrics, /healthz and /status; KAITO's metrics server uses it too."""
TUNE_CONFIG_PATH: Final = "/etc/modelyard/tune.json"
CHECKPOINT_FOLDER: Final = "/mnt/checkpoints"
STATUS_FILE: Final = "status.json"
"""In the folder of checkpoints: the training's last reported status."""
STEPS_FILE: Final = "steps.jsonl"
"""In the folder of checkpoints: a line for every step that was ever trained, also of those that were lost again."""
SUMMARY_FILE: Final = "training_summary.json"
"""In the folder of results, written after the adapter."""
SENTINEL_FILE: Final = "fine_tuning_completed.txt"
"""KAITO's word that the results are complete; the very last file."""
ADAPTER_CONFIG: Final = "adapter_config.json"
ADAPTER_WEIGHTS: Final = "adapter_model.safetensors"

Phase = Literal[
    "starting", "waiting for weights", "preparing data", "loading", "training", "evaluating", "complete", "stopped",
    "failed",
]  # fmt: skip


class TuneConfig(BaseModel):
    """The complete configuration of `runtime.tune`; it contains no secret."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    model: str = Field(description="Hugging Face repository, organisation/name.")
    revision: str = Field(description="The commit that was resolved and pinned; never a branch.")
    weights_path: str = Field(description="Folder with the weights: /weights/<revision>.")
    method: Literal["lora", "qlora"]
    training: TrainingConfig = Field(description="The six sections, parsed, with all defaults filled in.")
    data_folder: str = Field(DATA, description="Holds the data files; every one that can be read is used.")
    output_folder: str = Field(description="Receives the adapter: training.output_dir as it is mounted.")
    checkpoint_folder: str = Field(
        CHECKPOINT_FOLDER, description="Outlives the pod: checkpoints, prepared data, status."
    )
    processes: int = Field(1, ge=1, description="Processes that train together: one for each GPU of the pod.")
    port: int = Field(TUNE_PORT, ge=1, le=65535)
    weights_deadline_s: int = Field(
        3600, ge=0, description="Seconds to wait for the weights' marker; 0 when they are known to be there."
    )
    checkpoint_s: float = Field(
        600, gt=0, description="Seconds after which a checkpoint is written even where save_steps asks for none."
    )
    stall_s: float = Field(1800, gt=0, description="Seconds without a step, or another sign of life: a stall.")
    stop_s: float = Field(
        100, gt=0, description="Seconds that the step under way and its checkpoint have after SIGTERM."
    )

    @property
    def seed(self) -> int:
        """Of the adapter's first weights, of dropout and, where no other is given, of the order of rows."""
        return int(str(self.training.training.get("seed", 42)))

    @property
    def complete_marker(self) -> str:
        """The file that the fetcher writes last."""
        return str(PurePosixPath(self.weights_path) / COMPLETE_MARKER)


class Rows(BaseModel):
    """What became of the data."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    read: int = 0
    trained: int = 0
    held_out: int = 0
    unusable: int = Field(0, description="Left out: nothing to learn in them, such as an empty answer.")
    truncated: int = Field(0, description="Longer than max_length; their end was cut off.")
    dropped: int = Field(0, description="Longer than max_length; left out.")
    tokens: int = Field(0, description="Tokens of the rows to train on, once over.")
    longest: int = Field(0, description="Tokens of the longest row, before anything was cut off.")


class TuneStatus(BaseModel):
    """A training's status: in the status file, on /status, and in the pod's termination message."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    phase: Phase = "starting"
    reason: str = Field("", description="One of api/reasons.py when it failed or was stopped.")
    message: str = ""
    step: int = 0
    total_steps: int = 0
    epoch: float = 0.0
    loss: float | None = Field(None, description="Of the last step, a mean over tokens.")
    learning_rate: float | None = None
    gradient_norm: float | None = None
    tokens: int = Field(0, description="Trained on since the start or the last resumption.")
    seconds: float = Field(0.0, description="Of training since the start or the last resumption, loading left out.")
    tokens_per_s: float | None = None
    eta_s: float | None = Field(None, description="Seconds until the last step at the present speed.")
    last_checkpoint: int = Field(0, description="The step of the last complete checkpoint; 0 when there is none.")
    resumed_from: int = Field(0, description="The step of the checkpoint that this process went on from.")
    steps_trained: int = Field(0, description="All steps ever trained, also those that were lost again.")
    attempts: int = Field(0, description="How often this pod's container began to train.")
    batch_size: int = 0
    accumulation: int = 0
    adjustments: list[str] = Field(default_factory=list, description="What was changed so that it fits.")
    warnings: list[str] = Field(default_factory=list, description="What is not as asked, and goes on all the same.")
    rows: Rows = Field(default_factory=Rows)
    eval_loss: float | None = Field(None, description="Of the adapter, on the rows held out.")
    eval_loss_base: float | None = Field(None, description="Of the model without it, on the same rows.")
    peak_memory_bytes: int = Field(0, description="Of the accelerator, or of main memory where there is none.")
    device: str = ""
    identity: str = Field("", description="Of model, settings and data; a checkpoint of another identity is not used.")


class TrainingSummary(BaseModel):
    """What the adapter is, and where it comes from; `Publish` makes the image's annotations from it."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    base_model: str
    base_revision: str
    method: Literal["lora", "qlora"]
    rank: int
    target_modules: list[str]
    config_digest: str = Field(description="sha256 of the training config, all defaults filled in.")
    data_digest: str = Field(description="sha256 over names and contents of the data files.")
    data_files: list[str]
    rows: Rows
    steps: int
    epochs: float
    seed: int
    loss: float | None
    eval_loss: float | None = None
    eval_loss_base: float | None = None
    seconds: float = Field(description="Of training since the start or the last resumption, loading left out.")
    tokens_per_s: float | None = None
    peak_memory_bytes: int = 0
    device: str = ""
    batch_size: int
    accumulation: int
    processes: int = 1
    adjustments: list[str] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)
    files: dict[str, str] = Field(description="Name and sha256 of every file of the adapter.")
    packages: dict[str, str] = Field(default_factory=dict, description="Versions of what trained it.")
    settings: dict[str, JsonValue] = Field(default_factory=dict, description="TrainingArguments, as trained with.")
