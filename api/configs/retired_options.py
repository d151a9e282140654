"""Names of options that vLLM does not list: retired ones, taken with a note or under another name; other spellings.

The table is `retired_options.yaml`; `inference.py` reads the file that sets them.
"""

import re
from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, JsonValue

from api.configs.arguments import Arguments
from api.configs.fitting import fitted
from api.configs.problem import nearest, shown

_NOT: Final = "no-"
_COMMAND_LINE: Final = re.compile(r"([a-z][a-z0-9-]{0,80})[= ]\s*(.{0,200})", re.DOTALL)
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Retired(BaseModel):
    """Options that did one thing; `since` is the version of vLLM that did nothing with them first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    options: tuple[str, ...]
    was: str
    since: str
    instead: str

    @property
    def note(self) -> str:
        """What whoever sets it is told."""
        return f"does nothing since vLLM {self.since} and is left out: it was {self.was}; {self.instead}"


class RetiredOptions(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    without_effect: tuple[Retired, ...]
    renamed: dict[str, str]


@cache
def retired_options() -> RetiredOptions:
    """The file's content."""
    text = files("api.configs").joinpath("retired_options.yaml").read_text()
    return RetiredOptions.model_validate(yaml.load(text, Loader=_LOADER))


@cache
def _notes() -> dict[str, str]:
    return {option: row.note for row in retired_options().without_effect for option in row.options}


def option_named(key: str) -> str:
    """vLLM's name of a key that is written in another spelling, or with an inner key behind it."""
    return key.strip().lstrip("-").partition(".")[0].replace("_", "-")


def note_of(option: str) -> str | None:
    """What is said of an option, or of its denial, that is left out; None for every other one."""
    return _notes().get(option) or _notes().get(option.removeprefix(_NOT))


def positive(option: str, value: JsonValue, arguments: Arguments) -> tuple[str, JsonValue]:
    """`no-x: true` as `x: false`, for switches, as `vllm serve --no-x` means it, and `no-x: false` as nothing, as vLLM
    reads its own files. Raises ValueError for any other value."""
    name = option.removeprefix(_NOT)
    if option in arguments or name == option or name not in arguments or arguments[name].kind != "switch":
        return option, value
    return name, False if value is not None and fitted(value, arguments[name]) else None


def unknown(option: str, arguments: Arguments) -> str:
    """The sentence about a name that vLLM does not have: what it is called now, or what may be meant."""
    if now := retired_options().renamed.get(option):
        return f"is not an option of vLLM any more: write {now}"
    if written := _COMMAND_LINE.fullmatch(option):
        return f"is written as for a command line: write `{written[1]}: {shown(written[2])[1:-1]}`"
    hint = nearest(option, [*arguments, *_notes(), *retired_options().renamed])
    return f"is not an option of vLLM{hint or '; see `vllm serve --help`'}"
