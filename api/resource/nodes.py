"""Models of `resource`: the nodes that the model runs on.

Shapes and defaults only; admission and the preflight decide which combinations are valid (SKU known, partition only
on the user's own nodes).
"""

from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.config import JsonDict

from api.resource.wire import Written

PRESERVE: JsonDict = {"x-kubernetes-preserve-unknown-fields": True}


class SelectorRequirement(Written):
    """One rule of a label selector."""

    key: str = Field(description="The label key the rule is about.")
    operator: str = Field(description="In, NotIn, Exists or DoesNotExist.")
    values: list[str] | None = Field(None, description="Values for In and NotIn; empty for Exists and DoesNotExist.")

    @property
    def is_single_value(self) -> bool:
        """Whether the rule says which one value a label must have."""
        return self.operator == "In" and len(self.values or []) == 1


class LabelSelector(Written):
    """Kubernetes' label selector."""

    match_expressions: list[SelectorRequirement] | None = Field(None, description="Rules that must all hold.")
    match_labels: dict[str, str] | None = Field(None, description="Labels that must all be present with these values.")


class Partition(Written):
    """Use of a part of a node's GPUs; for bring-your-own nodes only."""

    mode: Literal["mig", "accelerator"] = Field(
        description="'mig' takes a MIG slice of one GPU, 'accelerator' takes whole GPUs of a node."
    )
    profile: str | None = Field(None, description="MIG profile such as 1g.10gb; only with mode mig.")
    count: Annotated[int, Field(ge=1)] | None = Field(
        None, description="How many whole GPUs of a node; required with, and only with, mode accelerator."
    )


class ResourceSpec(Written):
    """Which nodes, and how many."""

    count: int = Field(
        1,
        description="How many nodes a template runs on, one pod each. A hint for presets: the size of the model "
        "decides, and the annotation modelyard.dev/replicas how many copies there are.",
        json_schema_extra={"x-modelyard-deprecated-in": "v1beta1"},
    )
    instance_type: str | None = Field(
        None,
        description="Machine type of the GPU nodes, for instance Standard_NC24ads_A100_v4. Leave empty when you "
        "bring your own nodes.",
    )
    label_selector: LabelSelector = Field(
        description="Labels that the nodes must carry; new nodes are given them.",
        json_schema_extra={"x-kubernetes-map-type": "atomic"},
    )
    preferred_nodes: list[str] | None = Field(
        None,
        description="Names of nodes to use first. Accepted and not acted on.",
        json_schema_extra={"x-modelyard-deprecated-in": "v1beta1"},
    )
    partition: Partition | None = Field(None, description="Take only a part of each node's GPUs.")

    @property
    def match_labels(self) -> dict[str, str]:
        """The selector as labels, empty when there are none; an `In` of one value is a label, too. Admission refuses
        every other expression, because new nodes are given these labels."""
        expressions = self.label_selector.match_expressions or []
        single = {entry.key: entry.values[0] for entry in expressions if entry.values and entry.is_single_value}
        return single | (self.label_selector.match_labels or {})


VolumeSource = Annotated[dict[str, Any], Field(json_schema_extra=PRESERVE)]
"""A Kubernetes VolumeSource, passed on as written."""

PodTemplate = Annotated[dict[str, Any], Field(json_schema_extra=PRESERVE)]
"""A Kubernetes PodTemplateSpec, passed on as written."""
