"""Builds a Model from a hub repository's config.json and list of files. Pure; `activities.planning.models` queries
the hub.

Refuses, with the fix, repositories that would not serve after nodes are bought: classes that vLLM does not have, models
whose output is not text, repositories without weights or with custom code.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files as resources
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from presets.hub.config import (
    ConfigUnreadable,
    HubProblem,
    NeedsRemoteCode,
    NotATextModel,
    NoWeights,
    Settings,
    UnsupportedArchitecture,
)
from presets.hub.layer_caches import layer_groups
from presets.hub.lora_targets import lora_targets_of
from presets.hub.vllm_parsers import parsers_of
from presets.hub.weight_files import HubFile, only_consolidated, weight_bytes, weight_files
from presets.models.catalog import Model

__all__ = [
    "ConfigUnreadable",
    "HubFile",
    "HubProblem",
    "NeedsRemoteCode",
    "NoWeights",
    "NotATextModel",
    "UnsupportedArchitecture",
    "model_from_hub",
    "weight_bytes",
    "weight_files",
]

_YAML_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
GIB: Final = 1 << 30
DEFAULT_MAX_TOKENS: Final = 2048
"""vLLM's default if the configuration has none."""
_CONTEXT: Final = (
    *("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"),
    *("model_max_length", "max_target_positions", "max_sequence_length", "n_ctx"),
)
_NOT_STRETCHED: Final = frozenset(
    {"", "default", "su", "longrope", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling", "mrope"}
)
"""Kinds of RoPE scaling after which max_position_embeddings is the whole context already."""
_DTYPES: Final = frozenset({"bfloat16", "float16", "float32"})
_EXPERTS: Final = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts", "num_moe_experts")


class Architectures(BaseModel):
    """architectures.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: frozenset[str]
    multimodal: frozenset[str]
    transformers: frozenset[str]
    other: frozenset[str]
    without_adapters: frozenset[str]
    dropped: dict[str, str]

    @property
    def served(self) -> frozenset[str]:
        return self.text | self.multimodal | self.transformers


def model_from_hub(
    repo: str, config: Mapping[str, Any], files: Sequence[HubFile], revision: str, *, gated: bool = False
) -> Model:
    """The model at one commit. `config` is config.json, or Mistral's params.json where there is no other.

    Raises UnsupportedArchitecture, NeedsRemoteCode, NotATextModel, NoWeights or ConfigUnreadable; each message begins
    with repository and commit and ends with what to do.
    """
    where = f"{repo}@{revision[:12]}"
    try:
        architecture = _architecture(config)
        return _model(repo, architecture, config, files, gated=gated)
    except HubProblem as error:
        raise type(error)(f"{where}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        message = f"{where}: config.json does not describe a usable model: {first['msg']}. Choose another model"
        raise ConfigUnreadable(message) from None


@cache
def architectures() -> Architectures:
    """The model classes that vLLM serves, and the errors of all others."""
    text = resources("presets.hub").joinpath("architectures.yaml").read_text()
    return Architectures.model_validate(yaml.load(text, Loader=_YAML_LOADER))


def _model(repo: str, architecture: str, config: Mapping[str, Any], files: Sequence[HubFile], *, gated: bool) -> Model:
    size = weight_bytes(files)
    if not size:
        advice = "it has GGUF files: use the original repository" if _has_gguf(files) else "choose another one"
        raise NoWeights(f"no safetensors and no PyTorch weights in this repository; {advice}")
    settings = Settings(config)
    quantization = _quantization(config)
    parsers = parsers_of(repo)
    # Mistral's own formats, where there is no other form of the weights; vLLM finds everything else by itself.
    formats: dict[str, Any] = {}
    if only_consolidated(files):
        formats = dict.fromkeys(("load_format", "config_format", "tokenizer_mode"), "mistral")
    return Model(
        repo=repo,
        architecture=architecture,
        weights_gib=size / GIB,
        dtype=_dtype(settings),
        quantization=quantization,
        layers=layer_groups(settings),
        attention_heads=settings.number("num_attention_heads", "n_head", "n_heads"),
        hidden_size=settings.needed("hidden_size", "n_embd", "d_model"),
        vocab_size=settings.number("vocab_size"),
        max_tokens=_max_tokens(settings),
        gated=gated,
        experts=any(settings.strings(name) or settings.number(name) > 1 for name in _EXPERTS),
        lora_targets=lora_targets_of(architecture, quantized=bool(quantization)),
        tool_parser=parsers.tool,
        reasoning_parser=parsers.reasoning,
        **formats,
    )


def _architecture(config: Mapping[str, Any]) -> str:
    named = config.get("architectures")
    names = [str(name) for name in named] if isinstance(named, list) else []
    if not names and "dim" in config and "n_layers" in config:
        names = [_mistral_architecture(config)]
    known = architectures()
    served = [name for name in names if name in known.served]
    if served:
        return served[0]
    if not names:
        raise UnsupportedArchitecture("config.json names no architecture: choose a model of the transformers library")
    return _refused(names[0], config, known)


def _refused(name: str, config: Mapping[str, Any], known: Architectures) -> str:
    if name in known.other or name.endswith(("Classification", "ForMaskedLM", "RewardModel", "Ranking")):
        raise NotATextModel(f"{name} does not generate text: use a model for text generation")
    if name in known.dropped:
        raise UnsupportedArchitecture(f"{name} was last served by vLLM {known.dropped[name]}: choose a newer model")
    if isinstance(config.get("auto_map"), Mapping):
        raise NeedsRemoteCode(
            f"{name} runs only with code from the repository, which is not run here: choose a model that vLLM has, or "
            "serve it with an image of yours in inference.template"
        )
    raise UnsupportedArchitecture(
        f"vLLM does not serve {name}: choose another model, or serve it with an image of yours in inference.template"
    )


def _mistral_architecture(params: Mapping[str, Any]) -> str:
    if params.get("vision_encoder"):
        return "PixtralForConditionalGeneration"
    return "MistralLarge3ForCausalLM" if params.get("kv_lora_rank") else "MistralForCausalLM"


def _has_gguf(files: Sequence[HubFile]) -> bool:
    return any(file.path.endswith(".gguf") for file in files)


def _dtype(settings: Settings) -> str:
    named = settings.string("dtype", "torch_dtype").removeprefix("torch.")
    return named if named in _DTYPES else "bfloat16"


def _quantization(config: Mapping[str, Any]) -> str:
    """The name that the catalogue has for it: what a number takes, rather than which library packed it."""
    inner = config.get("text_config")
    holders = [config, inner] if isinstance(inner, Mapping) else [config]
    keys = ("quantization_config", "compression_config", "quantization")
    found: Mapping[str, Any] = next((h[k] for h in holders for k in keys if isinstance(h.get(k), Mapping)), {})
    method = str(found.get("quant_method") or found.get("qformat_weight") or "").lower().replace("_", "-")
    details = f"{method} {found.get('format', '')} {found.get('quant_algo', '')}".lower()
    if "nvfp4" in details or "fp4" in method or "mixed-precision" in details.replace("_", "-"):
        return "mxfp4" if "mxfp4" in details else "nvfp4"
    if "fp8" in details or "float-quantized" in details:
        return "fp8"
    if method == "compressed-tensors":
        return "int4" if "pack" in details else "int8"
    return {"bitsandbytes": "bnb"}.get(method, method)


def _max_tokens(settings: Settings) -> int:
    lengths = [length for name in _CONTEXT if (length := settings.number(name))]
    length = min(lengths, default=DEFAULT_MAX_TOKENS)
    if settings.model_type.startswith("gemma3"):
        return length
    return max(1, int(length * _stretch(settings.inner("rope_parameters", "rope_scaling"))))


def _stretch(rope: Mapping[str, Any]) -> float:
    kind = str(rope.get("rope_type", rope.get("type", "")))
    factor = rope.get("factor")
    if kind in _NOT_STRETCHED or isinstance(factor, bool) or not isinstance(factor, int | float):
        return 1.0
    return float(factor) if 1 <= factor <= 1024 else 1.0
