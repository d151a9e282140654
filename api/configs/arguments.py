"""Loads the option tables of vLLM and trl. Whether a value fits is said by `fitting.py`.

The tables are generated from the programs: `vllm_arguments.yaml` by `python -m runtime.serve.dump_options`,
`training_arguments.yaml` by `python -m runtime.tune.dump_options`. The control plane can therefore validate a
ConfigMap without vLLM or trl installed.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["value", "list", "switch", "flag"]
"""switch: --x and --no-x; flag: only --x; neither ever has a value."""
Type = Literal["str", "int", "float", "bool", "size", "size_or_auto", "json", "any"]
"""size: a whole number, or one with a unit such as 32k (thousands) or 32K (1,024s). any: text or a map."""


class Argument(BaseModel):
    """One option."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind = "value"
    type: Type = "str"
    choices: tuple[str | int, ...] = ()
    any_case: bool = Field(False, description="The program takes a choice in capitals and in small letters.")
    least: float | None = Field(None, description="The smallest number that the program takes.")
    most: float | None = Field(None, description="The largest.")
    above: float | None = Field(None, description="A number that is just too small.")
    below: float | None = Field(None, description="One that is just too large.")


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
