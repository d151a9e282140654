"""The ConfigMaps that a Workspace names, judged before anything is bought: KAITO's rules 2.4 (C45) and 2.5 (I1, I2).

How their content is read is `api/configs`' business; here it meets the Workspace: the namespace, the method, the model.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from api.configs.inference import INFERENCE_KEY, context_problem, parse_inference_config
from api.configs.problem import ConfigProblem
from api.validation.document import Draft, Part
from api.validation.problem import Problem
from presets.lookups import known_model

ConfigMaps = Mapping[str, Mapping[str, Any]]
"""ConfigMaps of the Workspace's namespace, as objects, by name."""


def config_maps_named(config_maps: ConfigMaps | None, draft: Draft) -> Iterator[Problem]:
    """I1, I2, C45; nothing where no ConfigMaps are at hand to look into."""
    if config_maps is None:
        return
    if draft.inference["config"].text and draft.inference["preset"].given:
        yield from _inference(draft, config_maps)


def _inference(draft: Draft, config_maps: ConfigMaps) -> Iterator[Problem]:
    named = draft.inference["config"]
    content = _content(draft, named, config_maps, INFERENCE_KEY)
    if isinstance(content, str):
        yield Problem("I1", named.path, content)
        return
    try:
        config = parse_inference_config(content.text)
    except ConfigProblem as error:
        for path, message in error.errors:
            yield Problem("I1", named.path, f"{content.path} of ConfigMap '{named.text}': {path} {message}")
        return
    model = known_model(draft.inference["preset"])
    if model and (problem := context_problem(config, model.max_tokens)):
        yield Problem("I2", named.path, f"{content.path} of ConfigMap '{named.text}': {problem}")


def _content(draft: Draft, named: Part, config_maps: ConfigMaps, key: str) -> Part | str:
    """The text below the key, or what is wrong with the ConfigMap."""
    namespace = draft.metadata["namespace"].text or "default"
    found = config_maps.get(named.text)
    if found is None:
        return f"ConfigMap '{named.text}' specified in 'config' not found in namespace '{namespace}'"
    data = Part("", found)["data"]
    content = Part(key, data.mapping.get(key))
    if not isinstance(content.value, str):
        return f"ConfigMap '{named.text}' in namespace '{namespace}' has no key {key} with text"
    return content
