"""Rejects LoRA configurations whose adapter vLLM cannot serve, with the reason and the fix.

An adapter is trained to be served; this check prevents learning after hours of training that it cannot be.
Source: vLLM 0.32, `vllm/lora/peft_helper.py` and `vllm/config/lora.py`.
"""

from collections.abc import Mapping
from typing import Any, Final

from api.configs.problem import Problem, shown

SERVED_RANKS: Final = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The values of vLLM's --max-lora-rank."""
RANK_MAX: Final = SERVED_RANKS[-1]
_CANNOT: Final = "makes an adapter that vLLM cannot serve"
UNSERVABLE: Final[Mapping[str, str]] = {
    "use_dora": f"(DoRA) {_CANNOT}; use use_rslora or a higher r",
    "modules_to_save": f"{_CANNOT}, because whole layers are saved beside it; name linear modules in target_modules",
    "trainable_token_indices": f"{_CANNOT}, because embeddings are saved beside it; leave it out",
    "layer_replication": f"{_CANNOT}; leave it out",
    "lora_bias": f"{_CANNOT}; leave it out",
    "use_qalora": f"{_CANNOT}; use method qlora",
    "use_bdlora": f"{_CANNOT}; leave it out",
    "alora_invocation_tokens": f"(aLoRA) {_CANNOT}; leave it out",
    "loftq_config": f"{_CANNOT}, because it changes the model itself; leave it out",
    "megatron_config": "needs Megatron, which the training image does not hold; leave it out",
}
HEADS: Final = ("lm_head", "embed_out")
"""The last layer, by the names that models give it."""
EMBEDDINGS: Final = frozenset({"embed_tokens", "wte", "word_embeddings"})
EMBEDDINGS_SERVED: Final = frozenset(
    {
        *("GraniteForCausalLM", "LlamaForCausalLM", "Phi3ForCausalLM", "PhiForCausalLM"),
        *("Qwen3ForCausalLM", "SmolLM3ForCausalLM"),
    }
)
"""Of the model classes that are trained here, those whose embeddings take adapters in vLLM (`embedding_modules`)."""
_INITS: Final = ("gaussian", "eva", "orthogonal", "mica", "lora_ga")
"""Initializations that leave the base weights unchanged; pissa, olora, corda and loftq change them."""


def lora_problems(section: Mapping[str, Any]) -> list[Problem]:
    """What of this LoraConfig section keeps vLLM from serving the adapter: (key, sentence)."""
    problems = [(key, why) for key, why in UNSERVABLE.items() if section.get(key)]
    init = section.get("init_lora_weights")
    if isinstance(init, str) and init.lower() not in (*_INITS, "true", "false"):
        inits = ", ".join(("true", "false", *_INITS))
        problems.append(("init_lora_weights", f"{shown(init)} {_CANNOT}, or is unknown; use one of {inits}"))
    if section.get("bias") not in (None, "none"):
        problems.append(("bias", f"{shown(section['bias'])} {_CANNOT}; use none"))
    problems += [
        (f"rank_pattern.{name}", _rank_words(rank))
        for name, rank in _ranks(section.get("rank_pattern"))
        if rank > RANK_MAX
    ]
    if heads := [name for name in _listed(section.get("target_modules")) if _last(name) in HEADS]:
        problems.append(("target_modules", f"{heads[0]} cannot be trained: the loss is computed past it; leave it out"))
    rank = section.get("r")
    if isinstance(rank, int) and rank > RANK_MAX:
        problems.append(("r", _rank_words(rank)))
    return problems


def serving_problems(config: Mapping[str, Any]) -> list[Problem]:
    """What of an adapter's own adapter_config.json keeps vLLM from serving it. Unlike in training, lm_head is fine."""
    modules = [name for name in _listed(config.get("target_modules")) if _last(name) not in HEADS]
    return lora_problems(dict(config) | {"target_modules": modules})


def is_embedding(module: str) -> bool:
    """Whether a module of this name is the model's embedding."""
    return _last(module) in EMBEDDINGS


def embedding_problem(module: str, architecture: str) -> str | None:
    """Why an adapter of this embedding cannot be served with a model of this class; None if it can."""
    if architecture in EMBEDDINGS_SERVED:
        return None
    return f"{module} {_CANNOT} with a {architecture}: its class takes no adapter of embeddings; leave it out"


def ranks_of(config: Mapping[str, Any]) -> set[int]:
    """Every rank in an adapter_config.json."""
    own = {config["r"]} if isinstance(config.get("r"), int) else set()
    return own | {rank for _, rank in _ranks(config.get("rank_pattern"))}


def served_rank(rank: int) -> int:
    """The smallest --max-lora-rank that covers this rank. Raises ValueError for a rank that vLLM does not support."""
    for known in SERVED_RANKS:
        if rank <= known:
            return known
    raise ValueError(_rank_words(rank))


def _rank_words(rank: int) -> str:
    return f"{rank} is over {RANK_MAX}, the highest rank that vLLM serves; lower it"


def _last(name: Any) -> str:
    return str(name).rpartition(".")[2]


def _listed(names: Any) -> list[Any]:
    return [names] if isinstance(names, str) else list(names) if isinstance(names, list | set | tuple) else []


def _ranks(pattern: Any) -> list[tuple[str, int]]:
    items = pattern.items() if isinstance(pattern, dict) else ()
    return [(name, rank) for name, rank in items if isinstance(rank, int)]
