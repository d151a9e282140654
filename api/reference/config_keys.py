"""The page of keys of the two ConfigMaps."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from api.configs.option_classes import Limit, option_classes
from api.configs.servable import UNSERVABLE
from api.configs.training import OPTIONS, SECTIONS
from api.configs.training_options import DEFAULTS, REFUSED
from api.reference.markdown import code, page, paragraph, table


def config_keys_page() -> str:
    """Every key of training_config.yaml, and what inference_config.yaml cannot set."""
    sections, classes = [], option_classes()
    for name, model in SECTIONS.items():
        rows = [[code(key), kind, parts] for key, kind, parts in section_rows(model)]
        sections += [f"### {name}", table(["key", "type and default", "meaning"], rows)]
    return page(
        "api.reference config-keys",
        "# Keys of the two ConfigMaps",
        "How they are used is in [configuration](configuration.md).",
        "## inference_config.yaml: options that can be set",
        "A key that vLLM does not know is refused, with the nearest known one. These can be set as vLLM takes them:",
        paragraph(" ".join(map(code, sorted(classes.tuning)))),
        "These can be set within limits. A path is one of the pod's: the model's repository, or an adapter.",
        table(["option", "what it may be"], [[code(name), _limit(limit)] for name, limit in classes.limited.items()]),
        "## inference_config.yaml: options that cannot be set",
        "They would open the pod to whoever asks the server, or break what the pod is relied on for:",
        table(["options", "why"], _by_reason({option: row.why for row in classes.opens for option in row.options})),
        "They load code:",
        table(["options", "why"], _by_reason({option: row.why for row in classes.code for option in row.options})),
        "## training_config.yaml",
        *sections,
        f"### {OPTIONS}",
        "The fields of trl's SFTConfig, by their names. Modelyard sets these defaults:",
        table(["key", "default"], [[code(key), code(value)] for key, value in DEFAULTS.items()]),
        "These are refused:",
        table(["keys", "why"], _by_reason(REFUSED)),
        "### What vLLM could not serve",
        "Keys of LoraConfig that are refused when they are given:",
        table(["keys", "why"], _by_reason(UNSERVABLE)),
    )


def _limit(limit: Limit) -> str:
    if not limit.judges_keys:
        kinds = {"whole": "a path", "each": "a map of paths", "or_template": "a template, or a path"}
        whole = [" ".join(map(code, limit.values))] if limit.values else []
        return " or ".join(whole + ([kinds[limit.path]] if limit.path else []))
    parts = [f"a map of {' '.join(map(code, limit.names()))}"]
    parts += [f"{code(key)} is one of {' '.join(map(code, filter(None, few)))}" for key, few in limit.values_of.items()]
    return "; ".join(parts + [f"{code(key)} is a path" for key in sorted(limit.paths)])


def _by_reason(table_of: Mapping[str, str]) -> list[list[str]]:
    """One row a sentence, with the keys it is about."""
    keys: dict[str, list[str]] = {}
    for key, why in table_of.items():
        keys.setdefault(why, []).append(key)
    return [[" ".join(map(code, names)), why] for why, names in keys.items()]


def section_rows(model: type[BaseModel]) -> Iterator[tuple[str, str, str]]:
    """For each field: its name, its type with bounds and default, its meaning."""
    schema = model.model_json_schema()
    for name, field in schema["properties"].items():
        parts = [_kind(field), *_bounds(field)]
        if field.get("default") not in (None, {}):
            parts.append(f"default {code(field['default'])}")
        yield name, ", ".join(parts), field["description"]


def _kind(field: dict[str, Any]) -> str:
    if "enum" in field:
        return "one of " + ", ".join(code(value) for value in field["enum"])
    if "const" in field:
        return f"only {code(field['const'])}"
    if "anyOf" in field:
        return " or ".join(_kind(branch) for branch in field["anyOf"] if branch.get("type") != "null")
    if field.get("type") == "array":
        return f"list of {_kind(field['items'])}s"
    if field.get("type") == "object":
        return "map"
    return str(field.get("type", "any"))


def _bounds(field: dict[str, Any]) -> list[str]:
    bounds = {
        "minimum": "at least",
        "maximum": "at most",
        "exclusiveMinimum": "above",
        "exclusiveMaximum": "below",
    }
    inner = [field, *field.get("anyOf", [])]
    return [f"{text} {one[key]:.12g}" for one in inner for key, text in bounds.items() if key in one]
