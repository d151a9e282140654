"""A Workspace: one internal model for both wire versions.

The two versions have the same fields (the CRD gives both the same superset, so that no version loses what the other
wrote). They differ in one default: a v1alpha1 Workspace without `instanceType` uses KAITO's default machine. That
default is not in the CRD, where a v1alpha1 client would inject it into a bring-your-own Workspace; see
`instance_type`.
"""

from collections.abc import Mapping
from typing import Any, Literal, cast

from pydantic import Field, ValidationError

from api import labels
from api.replicas import replicas
from api.resource.invalid import InvalidWorkspace, problems_of
from api.resource.metadata import ObjectMeta, metadata_of
from api.resource.model import InferenceSpec, TuningSpec
from api.resource.nodes import ResourceSpec
from api.resource.status import WorkspaceStatus, parse_status
from api.resource.wire import Written

ApiVersion = Literal["kaito.sh/v1alpha1", "kaito.sh/v1beta1"]
V1ALPHA1_INSTANCE_TYPE = "Standard_NC24ads_A100_v4"  # KAITO's v1alpha1 default


class WorkspaceSpec(Written):
    """What the author of a Workspace asked for. There is no `spec` on the wire: these are top-level fields."""

    resource: ResourceSpec | None = Field(None, description="On which nodes the model is to run.")
    inference: InferenceSpec | None = Field(None, description="Serve a model. Give this or tuning, not both.")
    tuning: TuningSpec | None = Field(None, description="Train an adapter. Give this or inference, not both.")


class Workspace:
    """A Workspace as read from the cluster or from a file."""

    def __init__(
        self, *, api_version: ApiVersion, metadata: ObjectMeta, spec: WorkspaceSpec, status: WorkspaceStatus
    ) -> None:
        self.api_version = api_version
        self.metadata = metadata
        self.spec = spec
        self.status = status

    @classmethod
    def parse(cls, obj: Mapping[str, Any]) -> "Workspace":
        """The Workspace in this JSON object, of either version.

        Raises InvalidWorkspace with every (path, message) that is wrong. The status is never a reason: `parse_status`.
        """
        problems = _identity_problems(obj)
        written = {key: value for key, value in obj.items() if key not in _ENVELOPE}
        spec = WorkspaceSpec()
        metadata = None
        try:
            spec = WorkspaceSpec.model_validate(written)
        except ValidationError as error:
            problems += problems_of(error, WorkspaceSpec)
        try:
            metadata = metadata_of(obj)
        except ValidationError as error:
            problems += [(f"metadata.{path}", message) for path, message in problems_of(error, ObjectMeta)]
        if problems or metadata is None:
            raise InvalidWorkspace(problems)
        status = obj.get("status")
        return cls(
            api_version=cast(ApiVersion, obj["apiVersion"]),
            metadata=metadata,
            spec=spec,
            status=parse_status(status if isinstance(status, Mapping) else None),
        )

    def to_wire(self, api_version: ApiVersion | None = None) -> dict[str, Any]:
        """The JSON object in that version (default: the one it was read in), with just the fields that were given."""
        wire = {
            "apiVersion": api_version or self.api_version,
            "kind": labels.KIND,
            "metadata": self.metadata.wire(),
            **self.spec.wire(),
        }
        status = self.status.wire()
        return wire | ({"status": status} if status else {})

    @property
    def name(self) -> str:
        """metadata.name"""
        return self.metadata.name

    @property
    def namespace(self) -> str:
        """metadata.namespace"""
        return self.metadata.namespace

    @property
    def uid(self) -> str:
        """metadata.uid; empty in a file."""
        return self.metadata.uid

    @property
    def resource(self) -> ResourceSpec | None:
        """The `resource` section, as written."""
        return self.spec.resource

    @property
    def inference(self) -> InferenceSpec | None:
        """The `inference` section."""
        return self.spec.inference

    @property
    def tuning(self) -> TuningSpec | None:
        """The `tuning` section."""
        return self.spec.tuning

    @property
    def count(self) -> int:
        """resource.count, 1 when there is no resource section."""
        return self.resource.count if self.resource else 1

    @property
    def kind(self) -> Literal["preset", "template", "tuning"]:
        """What it is for."""
        if self.tuning and not self.inference:
            return "tuning"
        return "template" if self.inference and self.inference.template else "preset"

    @property
    def replicas(self) -> int:
        """Copies of the server, each on a node of its own: the nodes that it wants."""
        planned = self.status.plan.nodes if self.status.plan else None
        return replicas(self.metadata.annotations, kind=self.kind, count=self.count, planned=planned)

    @property
    def match_labels(self) -> dict[str, str]:
        """The user's own selector labels: the reserved ones are left out."""
        return labels.without_reserved(self.resource.match_labels if self.resource else {})

    @property
    def instance_type(self) -> str | None:
        """The requested machine type; if none is given, KAITO's default in v1alpha1 and None in later versions."""
        if self.resource is None:
            return None
        given = self.resource.instance_type or None
        return given or (V1ALPHA1_INSTANCE_TYPE if self.authored_in == labels.V1ALPHA1 else None)

    @property
    def authored_in(self) -> str:
        """The version that `resource` was written in, whichever version it is read in.

        The API server records it per field owner in managedFields; without them (a file) it is the object's version.
        """
        for entry in self.metadata.managed_fields or []:
            if "f:resource" in (entry.get("fieldsV1") or {}):
                return str(entry.get("apiVersion"))
        return self.api_version


_ENVELOPE = frozenset({"apiVersion", "kind", "metadata", "status"})


def _identity_problems(obj: Mapping[str, Any]) -> list[tuple[str, str]]:
    problems = []
    if obj.get("kind") != labels.KIND:
        problems.append(("kind", f"{_is(obj, 'kind')}; expected {labels.KIND!r}"))
    if obj.get("apiVersion") not in (labels.V1ALPHA1, labels.V1BETA1):
        problems.append(("apiVersion", f"{_is(obj, 'apiVersion')}; use {labels.V1BETA1} or {labels.V1ALPHA1}"))
    return problems


def _is(obj: Mapping[str, Any], key: str) -> str:
    return "is missing" if obj.get(key) is None else f"is {obj[key]!r}"
