"""The page of the operator's policy: every key with its default, from the models that read the document."""

from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel

from api.policy.document import Installation, Override, Policy, Rules
from api.reference.markdown import code, page, paragraph, table

_EXAMPLE: Final = """\
```yaml
policy:
  contact: the platform team (platform@example.com)
  installation: {nodes: 64, dollarsPerHour: 600}
  defaults:
    machineTypes: [Standard_NC*_A100_v4]
    nodes: 2
    dollarsPerHour: 10
    providers: [aks]
    repositories:
      adapters: ["registry.example.com/{namespace}/"]
      output: ["registry.example.com/{namespace}/"]
  namespaces:
    - namespaces: [research, research-*]
      rules: {machineTypes: ["*"], nodes: 16, dollarsPerHour: 200}
    - namespaces: [batch]
      rules: {spotOnly: true, templates: {allowed: false}}
```"""
_INTRODUCTION: Final = (
    "The operator's policy says what the Workspaces of each namespace may buy, mount and run. Without one the defaults "
    "below hold. In the chart it is the value `policy`, which becomes the ConfigMap `modelyard-policy`; processes "
    "that run elsewhere read the file that `MODELYARD_POLICY` names, as YAML."
)
_JUDGED: Final = (
    "It is judged when a Workspace is written (the webhook), when it is planned, and by whoever buys: the cloud's "
    "worker compares the very request that it is about to send, and what ARM's own list of node pools says is there, "
    "right before the purchase, and looks once more after ARM has accepted it. So neither an edit of a ConfigMap nor a "
    "message that somebody else puts into Temporal buys more. A refusal has the reason `PolicyRefused`, and says the "
    "limit, what is in use, and who to ask."
)
_EDITS: Final = (
    "An edit reaches the processes when the kubelet has renewed the mounted ConfigMap, within some two minutes, "
    "without a restart. What runs stays: limits are asked when something is bought. A policy that cannot be read at "
    "start refuses the start; an edit that cannot be read changes nothing: the one before holds on, the log names "
    "the key, and the metric `modelyard_policy_invalid` is 1."
)
_COUNTED: Final = (
    "Nodes and dollars of `defaults` and `namespaces` are of all Workspaces of one namespace together, those of "
    "`installation` of all namespaces. Nodes that are being released count until they are gone. Prices are list prices "
    "of the region, else the highest of any region, or yours in `prices`; spot machines count as their own maximum "
    "price or the price on demand, whichever is less. Your own nodes (byo) cost nothing here, and count as nodes of "
    "the one Workspace. Node pools and NodeClaims are counted each by itself, where an installation has both."
)
_QUOTA: Final = (
    "How many Workspaces a namespace may have is Kubernetes' own business. A ResourceQuota keeps one tenant from "
    "filling the queues of all:"
)
_QUOTA_EXAMPLE: Final = """\
```yaml
apiVersion: v1
kind: ResourceQuota
metadata: {name: workspaces, namespace: team-a}
spec: {hard: {count/workspaces.kaito.sh: "20"}}
```"""


def policy_page() -> str:
    """Every key of the policy's document."""
    return page(
        "api.reference policy",
        "# The operator's policy",
        *map(paragraph, (_INTRODUCTION, _JUDGED, _EDITS)),
        "An example, as values of the chart:",
        _EXAMPLE,
        "## The document",
        _table_of(Policy),
        "## installation",
        _table_of(Installation),
        "## defaults, and rules of namespaces",
        paragraph(_COUNTED),
        _table_of(Rules),
        "## namespaces",
        _table_of(Override),
        "## How many Workspaces",
        paragraph(_QUOTA),
        _QUOTA_EXAMPLE,
    )


def _table_of(model: type[BaseModel]) -> str:
    return table(["key", "default", "meaning"], _rows(model, ""))


def _rows(model: type[BaseModel], path: str) -> Iterator[list[str]]:
    for field in model.model_fields.values():
        name = f"{path}{field.alias}"
        default: Any = field.get_default(call_default_factory=True)
        described = " ".join((field.description or "").split())
        if isinstance(default, BaseModel) and model is Rules:
            yield from _rows(type(default), f"{name}.")
        else:
            yield [code(name), _default(default, required=field.is_required()), described]


def _default(value: Any, *, required: bool) -> str:
    if required:
        return "**required**"
    if isinstance(value, BaseModel):
        return "see below"
    return " ".join(code(each) for each in value) or "none" if isinstance(value, tuple | dict) else code(value)
