"""Five of the six sections of `training_config.yaml`, typed: model, quantization, LoRA, dataset, collator.

Names are KAITO's. Defaults are those of KAITO's own templates, which is what its users run, and not those of its code
(fp4, float32, a fifth of the data left aside), which nobody chose. The sixth section is `training_options.py`'s.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from api.configs.mounted_paths import contained
from api.configs.servable import RANK_MAX

Dtype = Literal["auto", "float32", "float16", "bfloat16"]


def _names(value: Any) -> Any:
    """One name, or a list of names."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise ValueError("must be a name or a list of names")
    return value


def _plain_word(value: str | list[str]) -> str | list[str]:
    """A list of one for a lone name: as the regular expression that peft takes a text for, it matches no module, which
    all have dots in their names."""
    return [value] if isinstance(value, str) and value.isidentifier() else value


def _initial(value: Any) -> Any:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool | str):
        raise ValueError("must be true, false or a name such as gaussian")
    return value


def _no_switch(value: Any) -> Any:
    """Anything but true and false, which pydantic takes for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError(f"must be a number, not {str(value).lower()}")
    return value


def _template(value: str) -> str:
    """A template as it is; the path of one, which begins with a slash and holds no brace, as an absolute path."""
    return contained(value) if is_template_path(value) else value


def is_template_path(value: str) -> bool:
    """Whether a chat template is given by its path."""
    return value.startswith("/") and "{" not in value


Names = Annotated[str | list[str], BeforeValidator(_names), AfterValidator(_plain_word)]
Contained = Annotated[str, AfterValidator(contained)]
Whole = Annotated[int, BeforeValidator(_no_switch)]
Number = Annotated[float, BeforeValidator(_no_switch)]


class Section(BaseModel):
    """Unknown keys are reported by `training.py`, not refused: KAITO ignores them."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=(), allow_inf_nan=False)


class ModelConfig(Section):
    """How the model is loaded. The Workspace determines the model and the commit."""

    trust_remote_code: bool = Field(False, description="Run code that the model's repository brings.")
    torch_dtype: Dtype = Field("bfloat16", description="Type of the weights while training.")
    device_map: str | dict[str, Whole | str] = Field("auto", description="Where layers are put.")
    chat_template: Annotated[str, AfterValidator(_template)] | None = Field(
        None, description="A Jinja template, or the path of one below /mnt."
    )


class QuantizationConfig(Section):
    """How the frozen weights are packed; method qlora needs one of the first two to be true."""

    load_in_4bit: bool | None = Field(None, description="Pack weights into 4 bits.")
    load_in_8bit: bool | None = Field(None, description="Pack weights into 8 bits.")
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = Field("nf4", description="The 4-bit type.")
    bnb_4bit_compute_dtype: Literal["float32", "float16", "bfloat16"] = Field(
        "bfloat16", description="The type that packed weights are unpacked to."
    )
    bnb_4bit_use_double_quant: bool = Field(True, description="Pack the scales too; saves 0.4 bits a weight.")
    llm_int8_threshold: Number = Field(6.0, ge=0, description="Outliers above it stay in 16 bits.")
    llm_int8_skip_modules: list[str] | None = Field(None, description="Modules that are not packed.")
    llm_int8_enable_fp32_cpu_offload: bool = Field(False, description="Let packed layers lie in main memory.")
    llm_int8_has_fp16_weight: bool = Field(False, description="Keep 16-bit weights beside the packed ones.")

    @property
    def quantizes(self) -> bool:
        """Whether the weights are packed at all."""
        return bool(self.load_in_4bit or self.load_in_8bit)


class LoraConfig(Section):
    """The adapter's shape. `servable.py` rejects shapes that vLLM cannot serve."""

    r: Whole = Field(8, ge=1, description=f"Rank, at most {RANK_MAX}: the size of the adapter.")
    lora_alpha: Number = Field(8, gt=0, description="Scale: the adapter is weighed with lora_alpha / r.")
    lora_dropout: Number = Field(0.0, ge=0, lt=1, description="Share of inputs dropped while training.")
    target_modules: Names = Field(
        "all-linear", description="Which modules get an adapter: names, one regular expression, or all-linear."
    )
    exclude_modules: Names | None = Field(None, description="Modules that get none.")
    bias: Literal["none"] = Field("none", description="Biases are never trained: vLLM could not serve them.")
    use_rslora: bool = Field(False, description="Weigh with lora_alpha / sqrt(r) instead.")
    init_lora_weights: Annotated[bool | str, BeforeValidator(_initial)] = Field(
        True, description="How the adapter begins: true, false, gaussian, eva, orthogonal, mica or lora_ga."
    )
    rank_pattern: dict[str, Annotated[Whole, Field(ge=1)]] = Field(
        default_factory=dict, description="Ranks of single modules, by name or regular expression."
    )
    alpha_pattern: dict[str, Annotated[Number, Field(gt=0)]] = Field(
        default_factory=dict, description="Scales of single modules."
    )
    layers_to_transform: Whole | list[Whole] | None = Field(None, description="Only these layers get an adapter.")
    layers_pattern: Names | None = Field(None, description="The name of the list of layers in the model.")
    fan_in_fan_out: bool = Field(False, description="For layers that store weights transposed, as GPT-2's.")


class DatasetConfig(Section):
    """Which data, and how it is read."""

    dataset_path: Contained | None = Field(
        None, description="File or folder, below /mnt; without it every data file in /mnt/data."
    )
    dataset_extension: Literal["csv", "json", "jsonl", "parquet", "arrow"] | None = Field(
        None, description="The file's format; without it the file's name says so."
    )
    shuffle_dataset: bool = Field(True, description="Shuffle before splitting.")
    shuffle_seed: Whole = Field(42, ge=0, le=2**32 - 1, description="Seed of shuffling and splitting.")
    context_column: str | None = Field(None, description="Column with the prompt.")
    response_column: str | None = Field(
        None,
        description="Column with the answer or the whole text; without it, columns are found by name.",
    )
    messages_column: str | None = Field(None, description="Column with chat messages.")
    over_long_rows: Literal["truncate", "drop", "refuse"] = Field(
        "truncate", description="What becomes of rows of more tokens than max_length. Modelyard's own key."
    )
    train_test_split: Number = Field(1.0, gt=0, le=1, description="Share of rows to train on; the rest evaluates.")


class DataCollator(Section):
    """How rows become batches."""

    # The bounds stand beside `int`: behind the validator of a Whole that may be missing, no schema shows them.
    pad_to_multiple_of: Annotated[int, Field(ge=1, le=1024), BeforeValidator(_no_switch)] | None = Field(
        None, description="Pad lengths to a multiple of this."
    )


NOT_ACTED_ON: dict[str, dict[str, str]] = {
    "ModelConfig": dict.fromkeys(
        ("pretrained_model_name_or_path", "state_dict", "cache_dir", "force_download", "proxies"),
        "is accepted and not acted on: the model of tuning.preset.name is fetched at its pinned commit",
    )
    | dict.fromkeys(
        ("output_loading_info", "local_files_only", "revision"),
        "is accepted and not acted on: the model of tuning.preset.name is fetched at its pinned commit",
    ),
    "QuantizationConfig": {"quant_method": "is accepted and not acted on: it is always bitsandbytes"},
    "LoraConfig": dict.fromkeys(
        ("task_type", "peft_type", "inference_mode", "base_model_name_or_path", "revision", "auto_mapping"),
        "is accepted and not acted on: it follows from the model",
    ),
    "DataCollator": dict.fromkeys(
        ("mlm", "mlm_probability", "return_tensors", "tf_experimental_compile", "seed"),
        "is accepted and not acted on: causal models predict the next token",
    ),
}
