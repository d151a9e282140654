"""Judges a value by an option's entry in the tables of vLLM and trl, and gives it the type that the program takes.

What an option means beyond its type, choices and bounds is said by `option_classes.py` and `training_options.py`.
"""

import math
import operator
import re

from pydantic import JsonValue

from api.configs.arguments import Argument, Type
from api.configs.json_reading import read_json
from api.configs.problem import nearest, shown
from api.configs.yaml_reading import DEPTH_MAX

NUMBER_MAX = 64
"""Characters of a number that is written as text; the longest float64 has 24."""
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)([kKmMgGtT]?)")
_ENDS = 2**63
"""What 64 bits hold: numbers below it, and above its negative."""
_UNSET = ("", "None")
"""What vLLM's parser takes for no value, where an option may have none."""
_UNITS = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def fitted(value: JsonValue, argument: Argument) -> JsonValue:
    """The value as the option takes it: "true" as true, "4" as 4, a lone item as a list.

    Raises ValueError with a sentence that begins with what the value must be.
    """
    if argument.kind in ("switch", "flag"):
        return _boolean(value)
    if argument.kind == "list":
        items = value if isinstance(value, list) else [value]
        return [_judged(_typed(item, argument.type), argument) for item in items]
    return _judged(_typed(value, argument.type), argument)


def check_items(items: JsonValue) -> None:
    """Raises ValueError for a list that no command line passes on: it has the items behind the option, each by
    itself."""
    if items == []:
        raise ValueError("is an empty list, which vLLM does not take; leave it out")
    for item in items if isinstance(items, list) else []:
        if isinstance(item, str) and item.startswith("-"):
            raise ValueError(f"holds {shown(item)}, which vLLM would take for an option: none may begin with a dash")


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
    if isinstance(value, float) and value.is_integer() and abs(value) < _ENDS:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= _ENDS:
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
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _ENDS:
        return value
    match = _SIZE.fullmatch(_short(value))
    if not match or ("." in match[1] and not match[2].islower()):
        raise ValueError(f"must be a whole number, or one with a unit such as 32k, not {shown(value)}")
    size = int(float(match[1]) * _UNITS[match[2]]) if match[2] else int(match[1])
    if size >= _ENDS:
        raise ValueError(f"must be a number of at most 64 bits, not {shown(value)}")
    return size


def _structure(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        try:
            return _structure(read_json(value, parse_constant=_no_number, object_pairs_hook=_map))
        except _WrongInside:
            raise
        except ValueError:
            raise ValueError(f"must be a map or a list, or the JSON of one, not {shown(value)}") from None
    if not isinstance(value, dict | list):
        raise ValueError(f"must be a map or a list, not {shown(value)}")
    _check_writable(value, DEPTH_MAX)
    return value


class _WrongInside(ValueError):
    """What a map or list holds cannot be used."""


def _check_writable(value: JsonValue, levels: int) -> None:
    """Raises _WrongInside for what a text of JSON can hold and none can be written with, for the pod to read."""
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            half = f"\\u{ord(value[error.start]):04x}"
            raise _WrongInside(f"holds {half}, which is half of a character; write the character itself") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise _WrongInside("holds a number that is larger than any that fits; write a smaller one")
    if not isinstance(value, dict | list):
        return
    if not levels:
        raise _WrongInside(f"is nested deeper than {DEPTH_MAX} levels")
    for child in (*value, *value.values()) if isinstance(value, dict) else value:
        _check_writable(child, levels - 1)


def _map(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    """Raises _WrongInside for a key that stands twice; of the two the last would count without a word."""
    found: dict[str, JsonValue] = {}
    for key, value in pairs:
        if key in found:
            raise _WrongInside(f"holds the key {shown(key)} twice; keep one")
        found[key] = value
    return found


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is not a JSON number")


def _text(value: JsonValue) -> str:
    if isinstance(value, bool) or value is None:
        raise ValueError(f"must be text; {shown(value)} is not text in YAML: put it in quotes")
    if not isinstance(value, str | int | float):
        raise ValueError(f"must be text, not {shown(value)}")
    return str(value)


def _judged(value: JsonValue, argument: Argument) -> JsonValue:
    """The value if the program takes it, spelled as it was: another spelling would be another configuration, for which
    what serves is restarted."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        _check_bounds(value, argument)
    if not argument.choices or value in argument.choices:
        return value
    if argument.any_case and (value in _UNSET or str(value).lower() in {str(one).lower() for one in argument.choices}):
        return value
    names = list(map(str, argument.choices))
    raise ValueError(f"must be one of {', '.join(names)}, not {shown(value)}{nearest(str(value), names)}")


def _check_bounds(value: float, argument: Argument) -> None:
    """Raises ValueError with all bounds of the option when one of them does not hold."""
    bounds = (
        ("at least", argument.least, operator.ge),
        ("above", argument.above, operator.gt),
        ("at most", argument.most, operator.le),
        ("below", argument.below, operator.lt),
    )
    given = [(words, bound, holds) for words, bound, holds in bounds if bound is not None]
    if not all(holds(value, bound) for _, bound, holds in given):
        wanted = " and ".join(f"{words} {bound:.12g}" for words, bound, _ in given)
        raise ValueError(f"must be {wanted}, not {value:.12g}")
