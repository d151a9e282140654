"""What of LoraConfig's layers, exclusions and patterns peft refuses, or leaves nothing to train by. Pure.

peft says so when the model is loaded, on a GPU that is paid for. What target_modules may name is `target_modules.py`'s.
Source: peft's LoraConfig.__post_init__, check_target_module_exists and get_pattern_key. Expressions are a user's: their
time is bounded.
"""

from collections.abc import Iterator
from typing import Final

import regex

from api.configs.problem import Problem, shown
from api.configs.training_sections import LoraConfig
from presets.models.catalog import Model
from presets.tuning.target_modules import PATTERN_S, is_excluded

_PARENTS: Final = ("self_attn", "mlp")
_LAYER: Final = "model.layers.0"


def choice_problems(lora: LoraConfig, model: Model) -> list[Problem]:
    """(key of LoraConfig, sentence) for each thing that cannot be."""
    if unusable := list(_unusable(lora, model)):
        return unusable
    return [*_of_layers(lora, model), *_of_exclusions(lora, model)]


def _of_layers(lora: LoraConfig, model: Model) -> Iterator[Problem]:
    layers = lora.layers_to_transform
    chosen = [layers] if isinstance(layers, int) else layers
    names = f"[{', '.join(model.lora_targets)}]"
    for key in ("layers_to_transform", "layers_pattern"):
        if getattr(lora, key) is not None and isinstance(lora.target_modules, str):
            yield key, f"goes with names of modules only: list them in target_modules, for instance {names}"
            return
    if lora.layers_pattern and chosen is None:
        yield "layers_pattern", "goes with layers_to_transform only: say which layers, or leave it out"
    most = model.layer_count - 1
    if beyond := [number for number in chosen or () if not 0 <= number <= most]:
        yield "layers_to_transform", f"names layer {beyond[0]}, and {model.repo} has the layers 0 to {most}"


def _of_exclusions(lora: LoraConfig, model: Model) -> Iterator[Problem]:
    """Whether nothing is left; of an expression in target_modules only the model itself can tell."""
    chosen = lora.target_modules
    listed = [name.rpartition(".")[2] for name in chosen] if isinstance(chosen, list) else None
    if listed is None and chosen != "all-linear":
        return
    meant = _probes(name for name in model.lora_targets if listed is None or name in listed)
    if meant and all(is_excluded(name, lora.exclude_modules) for name in meant):
        yield "exclude_modules", "excludes every module that target_modules names: nothing is left to train"


def _unusable(lora: LoraConfig, model: Model) -> Iterator[Problem]:
    """Expressions that are none, or that take too long for names as the model has them."""
    for key, written, form in _expressions(lora):
        try:
            pattern = regex.compile(form.format(written))
            for name in _probes(model.lora_targets):
                pattern.match(name, timeout=PATTERN_S)
        except regex.error as error:
            yield key, f"{shown(written)} is no regular expression ({error}); write names of modules"
        except TimeoutError:
            yield key, f"the regular expression {shown(written)} takes too long; write names of modules"


def _expressions(lora: LoraConfig) -> Iterator[tuple[str, str, str]]:
    """Key, what is written there, and what peft makes of it."""
    if isinstance(lora.exclude_modules, str):
        yield "exclude_modules", lora.exclude_modules, "(?:{})$"
    for name in [lora.layers_pattern] if isinstance(lora.layers_pattern, str) else lora.layers_pattern or ():
        yield "layers_pattern", name, r"(?:^|.*?\.){}\.(?P<idx>\d+)\."
    for key in ("rank_pattern", "alpha_pattern"):
        for name in getattr(lora, key):
            yield key, name, r"(.*\.)?({})$"


def _probes(modules: Iterator[str] | tuple[str, ...]) -> list[str]:
    return [f"{_LAYER}.{parent}.{name}" for name in modules for parent in _PARENTS]
