"""Options that vLLM has retired: which are taken with a note, and which have another name now.

The table is `retired_options.yaml`; `inference.py` reads the file that sets them.
"""

from functools import cache
from importlib.resources import files
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict

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


def note_of(option: str) -> str | None:
    """What is said of an option that is left out, or of its `no-`; None for every other one."""
    return _notes().get(option) or _notes().get(option.removeprefix("no-"))


def new_name(option: str) -> str | None:
    """What an option is called now; None for every other one."""
    return retired_options().renamed.get(option)
