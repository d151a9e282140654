"""Models by name: preset aliases of KAITO and repository ids, with the numbers that sizing needs.

The facts are in `*.yaml`, one file per maker: repositories' config.json and file sizes, as published. PrepareModel
queries the hub for whether a model is reachable, and at which commit.
"""

from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from presets.models.architecture import LayerGroup

_YAML_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WANTED: Final = ("architecture", "parameters_b", "attention_heads", "hidden_size", "vocab_size")


class UnknownModel(LookupError):
    """No model of this name is known; the message names the nearest ones."""

    def __init__(self, name: str, near: tuple[str, ...]) -> None:
        self.name, self.near = name, near
        hint = f"did you mean {' or '.join(near)}?" if near else f"use one of {', '.join(sorted(_aliases()))}"
        super().__init__(f"unknown preset {name!r}: {hint}")


class Model(BaseModel):
    """One model, as it is fetched and served. Zero and empty mean that the fact is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repo: str
    aliases: tuple[str, ...] = ()
    architecture: str = ""
    weights_gib: float = Field(gt=0, description="Bytes of the weight files that are fetched / 2**30.")
    parameters_b: float | None = Field(default=None, gt=0, description="Billions.")
    dtype: str = "bfloat16"
    quantization: str = Field(default="", description="fp8, mxfp4, awq, gptq, bnb...; empty: weights are in dtype.")
    layers: tuple[LayerGroup, ...] = Field(min_length=1)
    attention_heads: int = Field(default=0, ge=0)
    hidden_size: int = Field(default=0, ge=0)
    vocab_size: int = Field(default=0, ge=0)
    max_tokens: int = Field(gt=0)
    gated: bool = Field(default=False, description="Needs an access token.")
    experts: bool = Field(default=False, description="A mixture of experts.")
    lora_targets: tuple[str, ...] = Field(default=(), description="Modules an adapter may train; empty: not tunable.")
    tool_parser: str = ""
    reasoning_parser: str = ""
    load_format: Literal["auto", "mistral"] = "auto"
    config_format: Literal["auto", "mistral"] = "auto"
    tokenizer_mode: str = "auto"

    @model_validator(mode="after")
    def _heads_agree(self) -> Self:
        for group in self.layers:
            if self.attention_heads and group.kv_heads and self.attention_heads % group.kv_heads:
                raise ValueError(f"{self.repo}: {group.kv_heads} KV heads do not divide {self.attention_heads} heads")
        return self

    @property
    def served_name(self) -> str:
        """The model name that clients ask for: the repository's last part in lower case, as in KAITO."""
        return self.repo.rsplit("/", 1)[-1].lower()

    @property
    def vllm_options(self) -> dict[str, JsonValue]:
        """vLLM options that this model needs because its files lack them, by vLLM's names."""
        options: dict[str, JsonValue] = {}
        if self.tool_parser:
            options |= {"enable_auto_tool_choice": True, "tool_call_parser": self.tool_parser}
        if self.reasoning_parser:
            options["reasoning_parser"] = self.reasoning_parser
        formats = {name: getattr(self, name) for name in ("load_format", "config_format", "tokenizer_mode")}
        return options | {name: value for name, value in formats.items() if value != "auto"}

    @property
    def layer_count(self) -> int:
        """Layers of all kinds: what pipeline parallelism cuts."""
        return sum(group.count for group in self.layers)

    @property
    def missing_facts(self) -> tuple[str, ...]:
        """Unknown fields of this model, so that an estimate can list what it lacks."""
        return tuple(name for name in _WANTED if not getattr(self, name))

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes that one more token adds in all layers, in bf16, as long as no sliding window is full."""
        return sum(group.kv_bytes_per_token for group in self.layers)


def find_model(name: str) -> Model:
    """The model of this alias or repository id, whatever its case. Raises UnknownModel."""
    by_name = _by_name()
    model = by_name.get(name.strip().lower())
    if model is None:
        near = get_close_matches(name.strip().lower(), list(by_name), n=3, cutoff=0.6)
        raise UnknownModel(name, tuple(near))
    return model


@cache
def all_models() -> tuple[Model, ...]:
    """Every model of the catalogue, in the order of the files."""
    sources = sorted(
        (file for file in files("presets.models").iterdir() if file.name.endswith(".yaml")),
        key=lambda file: file.name,
    )
    documents = [yaml.load(file.read_text(), Loader=_YAML_LOADER) for file in sources]
    return tuple(Model.model_validate(entry) for document in documents for entry in document["models"])


@cache
def _by_name() -> dict[str, Model]:
    table: dict[str, Model] = {}
    for model in all_models():
        for name in (model.repo, *model.aliases):
            if table.setdefault(name.lower(), model) is not model:
                raise ValueError(f"the catalogue lists {name} twice")
    return table


def _aliases() -> set[str]:
    return {alias for model in _by_name().values() for alias in model.aliases}
