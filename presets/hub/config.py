"""Reads the language model's part of an untrusted config.json, with every number validated.

Defines the errors of a repository. `layer_caches.py` and `model.py` interpret the numbers.
"""

from collections.abc import Mapping
from typing import Any, Final

NESTED: Final = ("text_config", "llm_config", "language_config", "thinker_config")
"""Keys under which multimodal models keep the numbers of their language model."""
LARGEST: Final = 1 << 40

# What configurations leave to their class in transformers 5.
_DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "gemma": {"head_dim": 256, "max_position_embeddings": 8192},
    "gemma2": {"head_dim": 256, "sliding_window": 4096, "sliding_window_pattern": 2, "max_position_embeddings": 8192},
    "gemma3_text": {
        **{"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "vocab_size": 262208},
        **{"sliding_window": 4096, "sliding_window_pattern": 6, "max_position_embeddings": 131072},
    },
    "cohere2": {"sliding_window_pattern": 4},
    "qwen3_5_text": {"full_attention_interval": 4},
    "qwen3_5_moe_text": {"full_attention_interval": 4},
    "qwen3_next": {"full_attention_interval": 4, "head_dim": 256},
    "nemotron_h": {"mamba_ssm_cache_dtype": "float32"},
    "kimi_linear": {"mamba_ssm_cache_dtype": "float32"},
}
# Names that Mistral's own params.json has for the same things.
_MISTRAL: Final = {
    "dim": "hidden_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "n_kv_heads": "num_key_value_heads",
    "max_seq_len": "max_position_embeddings",
}


class HubProblem(ValueError):
    """A repository that cannot be served, though it can be read.

    HubProblem
    |-- ConfigUnreadable          config.json lacks a number, or has one that cannot be
    |-- UnsupportedArchitecture   vLLM does not know the model's class
    |   `-- NeedsRemoteCode       ... and the repository brings code of its own for it
    |-- NotATextModel             it embeds, classifies or hears, but writes no text
    `-- NoWeights                 no safetensors and no PyTorch files
    """


class ConfigUnreadable(HubProblem):
    """config.json cannot be used as it is."""


class UnsupportedArchitecture(HubProblem):
    """vLLM has no model class of this name."""


class NeedsRemoteCode(UnsupportedArchitecture):
    """Only the repository's own Python code knows this model."""


class NotATextModel(HubProblem):
    """The model's output is not text."""


class NoWeights(HubProblem):
    """The repository has no weights to load."""


class Settings:
    """The numbers of a language model by the names that configurations use for them."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        values = _given(_renamed(document))
        inner = _nested(document)
        model_type = inner.get("model_type", values.get("model_type"))
        self._values = {**_DEFAULTS.get(str(model_type), {}), **values, **_given(inner)}

    @property
    def model_type(self) -> str:
        return str(self._values.get("model_type", ""))

    def number(self, *names: str) -> int:
        """The first of these that is given; 0 if none is. Raises ConfigUnreadable if it is not a whole number."""
        for name in names:
            if name in self._values:
                return self._whole(name, self._values[name])
        return 0

    def needed(self, *names: str) -> int:
        """The same, but it must be given and be more than 0."""
        value = self.number(*names)
        if not value:
            raise ConfigUnreadable(f"config.json has no {names[0]}")
        return value

    def per_layer(self, name: str, layers: int) -> list[int] | None:
        """A list with one number for each layer, where the configuration has one."""
        value = self._values.get(name)
        if not isinstance(value, list):
            return None
        if len(value) < layers:
            raise ConfigUnreadable(f"config.json: {name} has {len(value)} entries for {layers} layers")
        return [self._whole(name, item) for item in value[:layers]]

    def strings(self, name: str) -> list[str]:
        """A list of strings; a string counts as a list of its letters. Empty where there is none."""
        value = self._values.get(name)
        if not isinstance(value, list | str):
            return []
        return [str(item) for item in value]

    def string(self, *names: str) -> str:
        """The first of these that is a string, in lower case; empty where none is."""
        return next((value.lower() for name in names if isinstance(value := self._values.get(name), str)), "")

    def flag(self, name: str, default: bool = False) -> bool:
        value = self._values.get(name, default)
        return value if isinstance(value, bool) else default

    def inner(self, *names: str) -> Mapping[str, Any]:
        """The first of these that is a mapping; an empty one where none is."""
        return next((value for name in names if isinstance(value := self._values.get(name), Mapping)), {})

    @staticmethod
    def _whole(name: str, value: object) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
            raise ConfigUnreadable(f"config.json: {name} is {str(value)[:40]!r}, not a number of things")
        return value


def _nested(document: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in NESTED:
        inner = document.get(name)
        if isinstance(inner, Mapping):
            return _nested(inner) or inner
    return {}


def _given(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}


def _renamed(document: Mapping[str, Any]) -> Mapping[str, Any]:
    if "dim" not in document or "n_layers" not in document:
        return document
    moe = document.get("moe")
    experts = {"num_experts": moe.get("num_experts")} if isinstance(moe, Mapping) else {}
    return {**{_MISTRAL.get(name, name): value for name, value in document.items()}, **experts}
