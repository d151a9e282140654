"""Whether a DaemonSet's pod may run on a node that does not exist yet: its taints are known, of its labels most. Pure.

Kubernetes' own rules for taints, selectors and node affinity (documentation, "Taints and Tolerations", "Assigning Pods
to Nodes"), with a third answer for labels that others set once a node is there: such a label may come. What a node of a
plan is like is decided by `expected_nodes.py`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_KEEPS_OUT: Final = ("NoSchedule", "NoExecute")
_SET_LATER: Final = (
    *(".kubernetes.io", ".k8s.io", ".nvidia.com", ".azure.com", ".karpenter.sh"),
    *(".k8s.aws", ".amazonaws.com", ".google.com"),
)
"""Domains, with all below them, whose labels kubelets, clouds and GPU feature discovery set on new nodes."""


@dataclass(frozen=True)
class ExpectedNode:
    """Taints as Kubernetes writes them (`{key, value, effect}`); labels with None for one that it will not have."""

    taints: tuple[Mapping[str, str], ...]
    labels: Mapping[str, str | None] = field(default_factory=dict)


def obstacle(pod: Mapping[str, Any], node: ExpectedNode) -> str:
    """Why no pod with this spec will run on the node, "" if it may: the first taint or selector against it."""
    for taint in node.taints:
        if taint["effect"] in _KEEPS_OUT and not any(_tolerates(one, taint) for one in pod.get("tolerations") or ()):
            return f"does not tolerate {text_of(taint)}"
    selector = [{"key": key, "operator": "In", "values": [value]} for key, value in _selector(pod).items()]
    if against := _against(selector, node):
        return against
    terms = _terms(pod)
    refused = [_against_term(term, node) for term in terms]
    return refused[0] if terms and all(refused) else ""


def text_of(taint: Mapping[str, str]) -> str:
    """`sku=gpu:NoSchedule`, as kubectl writes it."""
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, str]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    key, operator = toleration.get("key") or "", toleration.get("operator") or "Equal"
    if key and key != taint["key"]:
        return False
    if operator == "Exists":
        return True
    return bool(key) and operator == "Equal" and (toleration.get("value") or "") == taint.get("value", "")


def _selector(pod: Mapping[str, Any]) -> dict[str, str]:
    return pod.get("nodeSelector") or {}


def _terms(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    affinity = (pod.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    return required.get("nodeSelectorTerms") or []


def _against_term(term: Mapping[str, Any], node: ExpectedNode) -> str:
    if any(one.get("operator") == "In" for one in term.get("matchFields") or ()):
        return "is for nodes with given names"  # which those that are bought cannot have
    return _against(term.get("matchExpressions") or (), node)


def _against(requirements: Iterable[Mapping[str, Any]], node: ExpectedNode) -> str:
    for one in requirements:
        if not _may_hold(one, node):
            return f"is for nodes {_shown(one)}"
    return ""


def _may_hold(requirement: Mapping[str, Any], node: ExpectedNode) -> bool:
    key, operator, values = requirement["key"], requirement["operator"], requirement.get("values") or []
    if key not in node.labels:
        return operator in ("NotIn", "DoesNotExist") or f".{key.partition('/')[0]}".endswith(_SET_LATER)
    value = node.labels[key]
    match operator:
        case "In":
            return value is not None and value in values
        case "NotIn":
            return value is None or value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return value is not None and value.isdecimal() and _compares(operator, int(value), values)


def _compares(operator: str, value: int, values: list[str]) -> bool:
    if len(values) != 1 or not values[0].lstrip("-").isdecimal():
        return False
    return value > int(values[0]) if operator == "Gt" else operator == "Lt" and value < int(values[0])


def _shown(requirement: Mapping[str, Any]) -> str:
    key, operator, values = requirement["key"], requirement["operator"], requirement.get("values") or []
    match operator:
        case "Exists":
            return f"with the label {key}"
        case "DoesNotExist":
            return f"without the label {key}"
        case "In" if len(values) == 1:
            return f"with the label {key}={values[0]}"
    return f"with {key} {operator} {','.join(values)}"
