"""Loads the option tables of vLLM and trl, and checks values against them.

The tables are generated from the programs: `vllm_arguments.yaml` by `python -m runtime.serve.dump_options`,
`training_arguments.yaml` by `python -m runtime.tune.dump_options`. The control plane can therefore validate a
ConfigMap without vLLM or trl installed.
"""

import json
import math
import re
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, JsonValue

from api.configs.json_reading import read_json
from api.configs.problem import nearest, shown

Kind = Literal["value", "list", "switch", "flag"]
"""switch: --x and --no-x; flag: only --x; neither ever has a value."""
Type = Literal["str", "int", "float", "bool", "size", "size_or_auto", "json", "any"]
"""size: a whole number, or one with a unit such as 32k (thousands) or 32K (1,024s). any: text or a map."""

NUMBER_MAX = 64
"""Characters of a number that is written as text; the longest float64 has 24."""
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)([kKmMgGtT]?)")
_UNITS = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class Argument(BaseModel):
    """One option."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind = "value"
    type: Type = "str"
    choices: tuple[str | int, ...] = ()


Arguments = dict[str, Argument]


@cache
def arguments_in(file: str) -> Arguments:
    """The options in one of the data files of this folder, by name."""
    text = files("api.configs").joinpath(file).read_text()
    data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {name: Argument.model_validate(fields) for name, fields in data["arguments"].items()}


def data_file(arguments: Arguments, header: str, version: str) -> str:
    """The text of a data file: one line an option, in alphabetical order."""
    fields = {name: one.model_dump(mode="json", exclude_defaults=True) for name, one in arguments.items()}
    lines = [f"  {name}: {json.dumps(fields[name])}" for name in sorted(fields)]
    return "\n".join([f"{header}version: {version}", "arguments:", *lines, ""])


def fitted(value: JsonValue, argument: Argument) -> JsonValue:
    """The value as the option takes it: "true" as true, "4" as 4, a lone item as a list.

    Raises ValueError with a sentence that begins with what the value must be.
    """
    if argument.kind in ("switch", "flag"):
        return _boolean(value)
    if argument.kind == "list":
        items = value if isinstance(value, list) else [value]
        return [_chosen(_typed(item, argument.type), argument) for item in items]
    return _chosen(_typed(value, argument.type), argument)


def _typed(value: JsonValue, type_: Type) -> JsonValue:
    match type_:
        case "bool":
            return _boolean(value)
        case "int":
            return _whole(value)
        case "float":
            return _number(value)
        case "size" | "size_or_auto":
            return _size(value, auto=type_ == "size_or_auto")
        case "json":
            return _structure(value)
        case "str":
            return _text(value)
        case "any":
            return value


def _boolean(value: JsonValue) -> bool:
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if not isinstance(value, bool):
        raise ValueError(f"is a switch: write true or false, not {shown(value)}")
    return value


def _short(value: JsonValue) -> str:
    """The text of what may be a number; empty for everything else, so that no pattern sees more than NUMBER_MAX."""
    return value.strip() if isinstance(value, str) and len(value) <= NUMBER_MAX else ""


def _whole(value: JsonValue) -> int:
    if _WHOLE.fullmatch(_short(value)):
        return int(_short(value))
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
        raise ValueError(f"must be a whole number of at most 64 bits, not {shown(value)}")
    return value


def _number(value: JsonValue) -> float | int:
    if _NUMBER.fullmatch(_short(value)):
        value = float(_short(value))
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"must be a number, not {shown(value)}")
    return value


def _size(value: JsonValue, *, auto: bool) -> int | str:
    if auto and (value == -1 or (isinstance(value, str) and value.strip().lower() in ("auto", "-1"))):
        return "auto"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    match = _SIZE.fullmatch(_short(value))
    if not match or ("." in match[1] and not match[2].islower()):
        raise ValueError(f"must be a whole number, or one with a unit such as 32k, not {shown(value)}")
    return int(float(match[1]) * _UNITS[match[2]]) if match[2] else int(match[1])


def _structure(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        try:
            return _structure(read_json(value, parse_constant=_no_number))
        except ValueError:
            raise ValueError(f"must be a map or a list, or the JSON of one, not {shown(value)}") from None
    if not isinstance(value, dict | list):
        raise ValueError(f"must be a map or a list, not {shown(value)}")
    return value


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is not a JSON number")


def _text(value: JsonValue) -> str:
    if isinstance(value, bool) or value is None:
        raise ValueError(f"must be text; {shown(value)} is not text in YAML: put it in quotes")
    if not isinstance(value, str | int | float):
        raise ValueError(f"must be text, not {shown(value)}")
    return str(value)


def _chosen(value: JsonValue, argument: Argument) -> JsonValue:
    if argument.choices and value not in argument.choices:
        names = list(map(str, argument.choices))
        raise ValueError(f"must be one of {', '.join(names)}, not {shown(value)}{nearest(str(value), names)}")
    return value
