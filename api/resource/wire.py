"""Base models for resources on the wire: camelCase in JSON, snake_case in Python.

User input (`Written`) is strict: a wrong type or an unknown field is an error, never a silent change. Objects written
by Kubernetes or another program (`Observed`) keep unknown fields.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel


def _to_utc_second(moment: datetime) -> datetime:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).replace(microsecond=0)


Timestamp = Annotated[
    datetime,
    AfterValidator(_to_utc_second),
    PlainSerializer(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ"), return_type=str, when_used="json"),
]
"""A moment as Kubernetes writes it: UTC, whole seconds. A naive datetime is taken as UTC."""


class Written(BaseModel):
    """A part of the resource that its author wrote: unknown fields and coerced types are refused."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        frozen=True,
        strict=True,
    )

    def wire(self) -> dict[str, Any]:
        """The JSON form, holding exactly the fields that were given."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Observed(BaseModel):
    """A part of the resource that the cluster or a controller wrote: unknown fields are kept as they are."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="allow", frozen=True
    )

    def wire(self) -> dict[str, Any]:
        """The JSON form: the fields that were given and are not None."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
