"""`metadata`: the fields of Kubernetes' ObjectMeta that Modelyard acts on; the others are kept as they are.

Deleting a Workspace must work when its spec is unreadable, so this parses on its own (`metadata_of`).
"""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from api.resource.wire import Observed, Timestamp


class ObjectMeta(Observed):
    """Identity and life cycle of an object."""

    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: Timestamp | None = None
    deletion_timestamp: Timestamp | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: list[str] = Field(default_factory=list)
    owner_references: list[dict[str, Any]] | None = None
    managed_fields: list[dict[str, Any]] | None = None

    @property
    def deleting(self) -> bool:
        """Whether a delete was requested and a finalizer still holds the object."""
        return self.deletion_timestamp is not None


def metadata_of(obj: Mapping[str, Any]) -> ObjectMeta:
    """The metadata of any Kubernetes object; raises ValueError (pydantic's) if it has no name."""
    return ObjectMeta.model_validate(obj.get("metadata") or {})
