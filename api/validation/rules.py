"""Loads the table of all admission rules: what each refuses, what to write instead, how it differs from KAITO's.

`rules.yaml` is the table; code refers to a rule by its id. `api/reference/admission.py` makes the page of it.
"""

from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict

from api.validation.problem import Problem

_YAML_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RuleText(BaseModel):
    """One row. `kaito` is empty where the rule is KAITO's, word for word; `reason` is what the status says when a plan
    meets the problem."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    asked: Literal["create", "update", "never"]
    refused: str
    instead: str = ""
    kaito: str = ""
    reason: str = "InvalidSpec"


@cache
def rule_table() -> dict[str, RuleText]:
    """Every rule by its id, in the order of the file. Raises ValueError when an id is there twice."""
    document = yaml.load(files("api.validation").joinpath("rules.yaml").read_text(), Loader=_YAML_LOADER)
    rows = [RuleText.model_validate(row) for row in document["rules"]]
    table = {row.id: row for row in rows}
    if len(table) != len(rows):
        raise ValueError("rules.yaml lists a rule twice")
    return table


def reason_of(problem: Problem) -> str:
    """The status' word for this problem: a row of api/reasons.py."""
    return problem.reason or rule_table()[problem.rule].reason
