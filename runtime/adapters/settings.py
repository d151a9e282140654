"""Checks that what vLLM reads of an adapter_config.json has the types that it counts with. Pure.

Which adapters it serves is left to `judging.py`. Source: vLLM 0.32, `vllm/lora/peft_helper.py`, which looks for the
keys of both patterns as `re.match(rf"(.*\\.)?({key})$", module)`.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runtime.adapters.failures import INVALID, WITHOUT_EFFECT
from runtime.pod.exit import Failure

_NEEDED: Final = ("r", "lora_alpha", "target_modules")
_MUST_BE: Final[Mapping[str, str]] = {
    "r": "a whole number of 1 or more",
    "lora_alpha": "a number",
    "target_modules": "a name or a list of names",
    "rank_pattern": "a map from modules to whole numbers of 1 or more",
    "alpha_pattern": "a map from modules to numbers",
    "use_rslora": "true or false",
}
_SHOWN: Final = 80

Rank = Annotated[int, Field(ge=1)]
Alpha = Annotated[float, Field(allow_inf_nan=False)]


class _Settings(BaseModel):
    """What is read, by peft's names; null is as good as nothing where peft has a default."""

    model_config = ConfigDict(strict=True, extra="ignore")

    r: Rank
    lora_alpha: Alpha
    target_modules: str | list[str]
    rank_pattern: dict[str, Rank] | None = None
    alpha_pattern: dict[str, Alpha] | None = None
    use_rslora: bool | None = None


def check_settings(config: Mapping[str, Any]) -> None:
    """Raises Failure that names the key."""
    if missing := [key for key in _NEEDED if config.get(key) is None]:
        raise Failure(INVALID, f"adapter_config.json has no {', '.join(missing)}")
    try:
        settings = _Settings.model_validate(config)
    except ValidationError as error:
        key = str(error.errors()[0]["loc"][0])
        raise _wrong(key, config[key], _MUST_BE[key]) from None
    for key in ("rank_pattern", "alpha_pattern"):
        for module in getattr(settings, key) or {}:
            if not _is_pattern(module):
                raise _wrong(key, module, "a map whose keys are names or regular expressions")
    if not any((settings.lora_alpha, *(settings.alpha_pattern or {}).values())):
        raise Failure(WITHOUT_EFFECT, "its lora_alpha is 0, so that it adds nothing to the model")


def _wrong(key: str, value: Any, words: str) -> Failure:
    text = repr(value)
    shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return Failure(INVALID, f"adapter_config.json has {key} {shown}: it must be {words}")


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError):
        return False
    return True
