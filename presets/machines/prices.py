"""Reads the list prices of Azure VM sizes by region from a dated data file.

`presets/prices` has the command that refreshes the file (`__main__.py`) and the queries to Azure (`retail.py`).
"""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field

FILE: Final = "prices.yaml"
_YAML_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Dollars = Annotated[float, Field(gt=0)]


class PriceTable(BaseModel):
    """US dollars per hour on demand, by region (as Azure writes it, without spaces) and size.

    `as_of` is the day, or only the year, that the figures are from. What is not listed is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: str = Field(pattern=r"^20\d\d(-\d\d-\d\d)?$")
    usd_per_hour: dict[str, dict[str, Dollars]]


@cache
def price_table() -> PriceTable:
    """The table as it ships."""
    return parse_prices(files("presets.machines").joinpath(FILE).read_text())


def parse_prices(text: str) -> PriceTable:
    """The table in this YAML. Raises pydantic's ValidationError, or YAMLError."""
    return PriceTable.model_validate(yaml.load(text, Loader=_YAML_LOADER))


def shipped_file() -> Path:
    """Where the table lies, to be written anew."""
    return Path(str(files("presets.machines").joinpath(FILE)))
