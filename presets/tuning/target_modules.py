"""Whether LoraConfig.target_modules names what can be trained on this model, and served. Pure.

Only the model itself tells all names of its modules; the trainer asks it again before it trains. Here those are tried
that every model has and no adapter may: the head, norms, whole layers. A regular expression is a user's: its time is
bounded.
"""

from collections.abc import Sequence
from typing import Final

import regex

from api.configs.servable import HEADS, embedding_problem, is_embedding
from api.configs.training_sections import LoraConfig
from presets.models.catalog import Model

ALL_LINEAR: Final = "all-linear"
PATTERN_S: Final = 0.05
"""Seconds for one try of an expression; an honest one takes microseconds."""
_LAYER: Final = "model.layers.0"
_NO_MODULES_OF_OURS: Final = (
    *("model.norm", f"{_LAYER}.input_layernorm", f"{_LAYER}.mlp.act_fn"),
    *(f"{_LAYER}.mlp", f"{_LAYER}.self_attn", _LAYER, "model"),
)
_EMBEDDING: Final = "model.embed_tokens"
_WRITE: Final = "name the linear modules, as in [q_proj, v_proj], or use all-linear"


def module_problems(lora: LoraConfig, model: Model) -> list[str]:
    """A sentence about each thing that cannot be: of names, that embeddings cannot be served with this class; of an
    expression, also that it is none, takes too long, or matches what is no linear module."""
    chosen = lora.target_modules
    if isinstance(chosen, list):
        embeddings = [name for name in chosen if is_embedding(name)]
        return [text for name in embeddings if (text := embedding_problem(name, model.architecture))]
    if chosen == ALL_LINEAR:
        return []
    try:
        return _of_a_pattern(chosen, lora.exclude_modules, model)
    except regex.error as error:
        return [f"{chosen[:80]!r} is no regular expression ({error}); {_WRITE}"]
    except TimeoutError:
        return [f"the regular expression {chosen[:80]!r} takes too long; {_WRITE}"]


def _of_a_pattern(pattern: str, excluded: str | Sequence[str] | None, model: Model) -> list[str]:
    found = [
        name
        for name in (*HEADS, _EMBEDDING, *_NO_MODULES_OF_OURS)
        if regex.fullmatch(pattern, name, timeout=PATTERN_S) and not is_excluded(name, excluded)
    ]
    if heads := [name for name in found if name in HEADS]:
        return [f"{pattern[:80]!r} matches {heads[0]}, which cannot be trained: the loss is computed past it; {_WRITE}"]
    if _EMBEDDING in found and (text := embedding_problem(_EMBEDDING, model.architecture)):
        return [f"{pattern[:80]!r} matches {_EMBEDDING}: {text}"]
    others = [name for name in found if name in _NO_MODULES_OF_OURS]
    return [f"{pattern[:80]!r} matches {others[0]}, which is no linear module; {_WRITE}"] if others else []


def is_excluded(name: str, excluded: str | Sequence[str] | None) -> bool:
    """Whether peft excludes this module: a text has to match the whole name, an item of a list its end."""
    if isinstance(excluded, str):
        return bool(regex.fullmatch(excluded, name, timeout=PATTERN_S))
    return any(name == one or name.endswith(f".{one}") for one in excluded or ())
