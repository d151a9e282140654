"""Decides which options of vLLM a ConfigMap may set, to which values, beside which others: `vllm_option_classes.yaml`.

Types and choices are left to `arguments.py`. It is an allow-list; an option that it lacks is refused: a new version of
vLLM brings options that nobody here has read about.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from api.configs.mounted_paths import SERVED, served
from api.configs.problem import Problem, shown

RemoteCode = Callable[[str], bool]
"""Whether code of a model's repository may run in this namespace; the operator says so."""
REMOTE_CODE: Final = "remote-code"
_UNKNOWN: Final = "is not among the options that Modelyard knows to be harmless; leave it out"
_TEMPLATE: Final = "{}\n"
"""vLLM takes a text with one of these for a template, and any other for a path."""
_TEMPLATE_INSTEAD: Final = ": put the template's own text here, or leave it out, and the model's own template is used"


def nowhere(namespace: str) -> bool:
    """The RemoteCode of an installation whose operator has said nothing."""
    return False


class Limit(BaseModel):
    """What an option of class `limited` may be; see the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: tuple[str, ...] = ()
    path: Literal["whole", "each", "or_template"] | None = None
    keys: frozenset[str] = frozenset()
    values_of: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    paths: frozenset[str] = frozenset()

    @property
    def judges_keys(self) -> bool:
        """Whether the value is a map of which only some keys may be set."""
        return bool(self.keys or self.values_of or self.paths)

    def names(self) -> list[str]:
        """The keys that may be set, in alphabetical order."""
        return sorted({*self.keys, *self.values_of, *self.paths})


class Refused(BaseModel):
    """Options that are refused for one reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    why: str
    options: tuple[str, ...]
    policy: Literal["remote-code"] | None = None


class OptionClasses(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tuning: frozenset[str]
    limited: dict[str, Limit]
    opens: tuple[Refused, ...]
    code: tuple[Refused, ...]

    def refused(self) -> dict[str, Refused]:
        """Every refused option, in the order of the file."""
        return {option: row for row in (*self.opens, *self.code) for option in row.options}


@cache
def option_classes() -> OptionClasses:
    """The file's content."""
    text = files("api.configs").joinpath("vllm_option_classes.yaml").read_text()
    return OptionClasses.model_validate(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


@cache
def _refused() -> Mapping[str, Refused]:
    return option_classes().refused()


def refusal(option: str, *, remote_code_allowed: bool) -> str | None:
    """Why this option cannot be set at all, with what to do instead; None if it can."""
    row = _refused().get(option)
    if row is None:
        classes = option_classes()
        return None if option in classes.tuning or option in classes.limited else _UNKNOWN
    if row.policy == REMOTE_CODE and remote_code_allowed:
        return None
    return f"{row.why}; remove it"


def is_map(option: str) -> bool:
    """Whether the option's value is a map of which some keys may be set."""
    limit = option_classes().limited.get(option)
    return limit is not None and limit.judges_keys


def check_value(option: str, inner: tuple[str, ...], value: JsonValue) -> None:
    """Raises ValueError with a sentence about the first value that an option of class `limited` may not have; `inner`
    is the key inside of the option's map, empty for the whole option."""
    limit = option_classes().limited.get(option)
    if limit is None:
        return
    if limit.judges_keys:
        if not inner and not isinstance(value, dict):
            raise ValueError(f"must be a map, not {shown(value)}")
        _check_keys(limit, inner, value)
    elif limit.path == "each":
        for name, path in value.items() if isinstance(value, dict) else [(".".join(inner), value)]:
            _check_path(path, f"{name}: ")
    elif str(value) not in limit.values:
        _check_whole(limit, value)


def combination_problems(options: Mapping[str, JsonValue]) -> Iterator[Problem]:
    """What vLLM refuses of options that are fine each by itself: (option, sentence). From vLLM 0.32's
    `validate_parsed_serve_args`; what depends on the model is judged in `presets`."""
    if options.get("enable-log-outputs") is True and options.get("enable-log-requests") is not True:
        yield "enable-log-outputs", "needs enable-log-requests: true beside it; set that, or leave it out"
    if options.get("enable-per-request-metrics") is True and options.get("disable-log-stats") is True:
        yield "enable-per-request-metrics", "needs the statistics: leave disable-log-stats out, or this one"
    interval = options.get("sse-keep-alive-interval")
    if isinstance(interval, int | float) and interval < 0:
        yield "sse-keep-alive-interval", f"must be 0 (off) or more, not {shown(interval)}"


def _check_whole(limit: Limit, value: JsonValue) -> None:
    if limit.path is None:
        raise ValueError(
            f"must be one of {', '.join(limit.values)}, not {shown(value)}: others load code or open files"
        )
    if limit.path == "or_template":
        if isinstance(value, str) and any(sign in value for sign in _TEMPLATE):
            return
        _check_path(value, instead=_TEMPLATE_INSTEAD)
    else:
        _check_path(value)


def _check_keys(limit: Limit, inner: tuple[str, ...], value: JsonValue) -> None:
    name = ".".join(inner)
    if any(".".join(inner[: depth + 1]) in limit.keys for depth in range(len(inner))):
        return
    if name in limit.paths:
        _check_path(value, f"{name}: ")
    elif name in limit.values_of:
        if str(value) not in limit.values_of[name]:
            raise ValueError(f"{name} must be one of {', '.join(limit.values_of[name])}, not {shown(value)}")
    elif isinstance(value, dict) and (not inner or any(known.startswith(f"{name}.") for known in limit.names())):
        for key, child in value.items():
            _check_keys(limit, (*inner, key), child)
    else:
        raise ValueError(f"{name[:60]} may not be set; these may: {', '.join(limit.names())}")


def _check_path(value: JsonValue, where: str = "", instead: str = "") -> None:
    try:
        served(value if isinstance(value, str) else "")
    except ValueError:
        roots = " or ".join(SERVED)
        words = f"{where}must lie in {roots}, which is all that the pod has, not {shown(value)}{instead}"
        raise ValueError(words) from None
