"""Converts KAITO's generate_kwargs (transformers' parameters) into vLLM's completion request. Pure functions.

max_length counts prompt and answer in transformers, only the answer in vLLM; transformers samples only if do_sample is
set. Parameters that vLLM does not support are refused by name unless their value has no effect.
"""

from collections.abc import Mapping
from typing import Any

from runtime.serve.chat.request import ChatRefused, GenerateKwargs

# Used only by beam search, which is refused; so their values have no effect.
BEAM_SEARCH_ONLY = frozenset({"early_stopping", "length_penalty", "diversity_penalty", "num_beam_groups"})
NO_EFFECT = frozenset({"pad_token_id", "use_cache", "return_dict_in_generate"})
# The value with which each has no effect.
REFUSED: Mapping[str, Any] = {
    "num_beams": 1,
    "typical_p": 1,
    "no_repeat_ngram_size": 0,
    "encoder_no_repeat_ngram_size": 0,
    "epsilon_cutoff": 0,
    "eta_cutoff": 0,
    "num_return_sequences": 1,
    "penalty_alpha": None,
}
# Supported in addition to KAITO's own fields.
MORE = frozenset({"max_new_tokens", "min_new_tokens", "seed", "stop_strings", "min_p"})
SAMPLING = ("temperature", "top_k", "top_p", "repetition_penalty", "min_p")


def completion_fields(
    kwargs: GenerateKwargs, *, prompt_tokens: int, model_len: int, model_defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the fields of vLLM's completion request. Raises ChatRefused naming an unsupported parameter.

    `model_defaults` is the model's generation_config; it overrides KAITO's defaults, and the request overrides it.
    """
    extra = kwargs.model_extra or {}
    _refuse_unsupported(kwargs, extra)
    most = new_tokens(kwargs, prompt_tokens, model_len)
    least = max(extra.get("min_new_tokens") or 0, kwargs.min_length - prompt_tokens, 0)
    if least > most:
        raise ChatRefused(f"at least {least} new tokens are asked for, and at most {most}")
    fields = {"max_tokens": most, "min_tokens": least, **_sampling(kwargs, extra, model_defaults)}
    if kwargs.eos_token_id is not None:
        ids = kwargs.eos_token_id
        fields["stop_token_ids"] = ids if isinstance(ids, list) else [ids]
    if extra.get("stop_strings"):
        fields["stop"] = extra["stop_strings"]
    if extra.get("seed") is not None:
        fields["seed"] = extra["seed"]
    return fields


def new_tokens(kwargs: GenerateKwargs, prompt_tokens: int, model_len: int) -> int:
    """Returns the limit of generated tokens. Raises ChatRefused if the prompt leaves no room."""
    if prompt_tokens >= model_len:
        raise ChatRefused(
            f"the prompt has {prompt_tokens} tokens and the model takes {model_len}: shorten it, "
            'or send handle_long_generation "hole"'
        )
    wanted = _wanted(kwargs, prompt_tokens)
    if wanted < 1:
        raise ChatRefused(
            f"the prompt has {prompt_tokens} tokens and max_length is {kwargs.max_length}: raise max_length, "
            "which counts prompt and answer together, or send max_new_tokens"
        )
    return min(wanted, model_len - prompt_tokens)


def shortened(tokens: list[int], kwargs: GenerateKwargs, model_len: int) -> list[int]:
    """Returns the prompt's last tokens that leave room for the answer: transformers' handle_long_generation "hole"."""
    # As in transformers: without max_new_tokens the answer's room is max_length minus the whole prompt.
    room = max(1, _wanted(kwargs, len(tokens)))
    if len(tokens) + room <= model_len:
        return tokens
    if room >= model_len:
        raise ChatRefused(f"{room} new tokens are asked for, and the model takes {model_len} with the prompt")
    return tokens[-(model_len - room) :]


def _wanted(kwargs: GenerateKwargs, prompt_tokens: int) -> int:
    new = (kwargs.model_extra or {}).get("max_new_tokens")
    if new is None:
        return kwargs.max_length - prompt_tokens
    if not isinstance(new, int) or new < 1:
        raise ChatRefused(f"max_new_tokens must be a whole number above 0, not {new!r}")
    return new


def _sampling(kwargs: GenerateKwargs, extra: Mapping[str, Any], model_defaults: Mapping[str, Any]) -> dict[str, Any]:
    given = kwargs.model_fields_set
    chosen: dict[str, Any] = {}
    for name in SAMPLING:
        value = extra.get(name) if name in extra else getattr(kwargs, name, None)
        if name not in given and name not in extra:
            value = model_defaults.get(name, value)
        if value is not None:
            chosen[name] = value
    if not kwargs.do_sample:
        return {"temperature": 0.0, "repetition_penalty": chosen["repetition_penalty"]}
    return chosen


def _refuse_unsupported(kwargs: GenerateKwargs, extra: Mapping[str, Any]) -> None:
    known = BEAM_SEARCH_ONLY | NO_EFFECT | MORE | set(REFUSED)
    for name in extra:
        if name not in known:
            raise ChatRefused(f"generate_kwargs.{name} is not known")
    for name, neutral in REFUSED.items():
        value = extra.get(name, getattr(kwargs, name, neutral))
        if value is not None and value != neutral:
            raise ChatRefused(f"generate_kwargs.{name} = {value!r} is not supported by this server: leave it out")
