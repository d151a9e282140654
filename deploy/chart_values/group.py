"""What all groups of values have in common: names as Helm's users write them, and unknown keys are refused."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Group(BaseModel):
    """A mapping of the values file. Every field has a description and a default: both go into the chart's pages."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, use_attribute_docstrings=True)
