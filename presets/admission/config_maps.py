"""Validates the ConfigMaps that a Workspace names: KAITO's rules 2.4 (C45) and 2.5 (I1, I2).

`api/configs` parses their content; this file checks it against the Workspace: namespace, method and model.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from api.configs.inference import INFERENCE_KEY, InferenceConfig, context_problem, parse_inference_config
from api.configs.problem import ConfigProblem
from api.configs.training import TRAINING_KEY, TrainingConfig, method_problem, parse_training_config
from api.policy.document import Policy
from api.policy.rules import namespace_of
from api.validation.checks.sections import normal_method
from api.validation.document import Draft, Part
from api.validation.problem import Problem
from api.validation.taken import NOTE
from presets.admission.lookups import known_model

NOT_FOUND: Final = "ConfigNotFound"
ConfigMaps = Mapping[str, Mapping[str, Any]]
"""ConfigMaps of the Workspace's namespace, as objects, by name."""


def config_maps_named(config_maps: ConfigMaps | None, policy: Policy | None, draft: Draft) -> Iterator[Problem]:
    """I1, I2, C45; skipped if no ConfigMaps are given."""
    if config_maps is None:
        return
    remote_code_allowed = policy is not None and policy.rules_of(namespace_of(draft)).remote_code
    if draft.inference["config"].text and draft.inference["preset"].given:
        yield from _inference(draft, config_maps, remote_code_allowed)
    if draft.tuning["config"].text:
        yield from _tuning(draft, config_maps, remote_code_allowed)


def config_notes(config_maps: ConfigMaps | None, policy: Policy | None, draft: Draft) -> Iterator[Problem]:
    """What of the ConfigMap that the Workspace names does nothing; nothing of one that is refused."""
    remote_code_allowed = policy is not None and policy.rules_of(namespace_of(draft)).remote_code
    config: InferenceConfig | TrainingConfig
    for named, key in ((draft.inference["config"], INFERENCE_KEY), (draft.tuning["config"], TRAINING_KEY)):
        content = _content(draft, named, config_maps or {}, key)
        if isinstance(content, str):
            continue
        try:
            if key == INFERENCE_KEY:
                config = parse_inference_config(content.text, remote_code_allowed=remote_code_allowed)
            else:
                config = parse_training_config(content.text, remote_code_allowed=remote_code_allowed)
        except ConfigProblem:
            continue
        for path, message in config.warnings:
            yield Problem(NOTE, f"{named.path}: {path}", message)


def _inference(draft: Draft, config_maps: ConfigMaps, remote_code_allowed: bool) -> Iterator[Problem]:
    named = draft.inference["config"]
    content = _content(draft, named, config_maps, INFERENCE_KEY)
    if isinstance(content, str):
        yield Problem("I1", named.path, content, NOT_FOUND)
        return
    try:
        config = parse_inference_config(content.text, remote_code_allowed=remote_code_allowed)
    except ConfigProblem as error:
        yield from (Problem("I1", named.path, _in_config_map(named, content, wrong)) for wrong in error.errors)
        return
    model = known_model(draft.inference["preset"])
    if model and (problem := context_problem(config, model.max_tokens)):
        yield Problem("I2", named.path, _in_config_map(named, content, ("", problem)))


def _tuning(draft: Draft, config_maps: ConfigMaps, remote_code_allowed: bool) -> Iterator[Problem]:
    named = draft.tuning["config"]
    content = _content(draft, named, config_maps, TRAINING_KEY)
    if isinstance(content, str):
        yield Problem("C45", named.path, f"{_KAITO_TUNING}: {content}", NOT_FOUND)
        return
    try:
        config = parse_training_config(content.text, remote_code_allowed=remote_code_allowed)
    except ConfigProblem as error:
        found = error.errors
    else:
        method = normal_method(draft.tuning["method"].text)
        found = [problem for problem in [method_problem(config, method)] if problem]
    for problem in found:
        yield Problem("C45", named.path, f"{_KAITO_TUNING}: {_in_config_map(named, content, problem)}")


_KAITO_TUNING: Final = "Failed to evaluate validateConfigMap"


def _content(draft: Draft, named: Part, config_maps: ConfigMaps, key: str) -> Part | str:
    """The text below the key, or what is wrong with the ConfigMap."""
    namespace = draft.metadata["namespace"].text or "default"
    found = config_maps.get(named.text)
    if found is None:
        return f"ConfigMap '{named.text}' specified in 'config' not found in namespace '{namespace}'"
    content = Part(key, Part("", found)["data"].mapping.get(key))
    if not isinstance(content.value, str):
        return f"ConfigMap '{named.text}' in namespace '{namespace}' has no key {key} with text"
    return content


def _in_config_map(named: Part, content: Part, problem: tuple[str, str]) -> str:
    path, message = problem
    return f"{content.path} of ConfigMap '{named.text}': {f'{path} {message}' if path else message}"
