"""`resource.labelSelector`: which nodes, as a map of labels, because new nodes are given these very labels."""

import re
from collections.abc import Iterator
from typing import Final

from api import labels
from api.names import is_subdomain
from api.validation.document import Draft, Part
from api.validation.problem import Problem, shown

LABEL_MAX: Final = 63
_FOUND_BY: Final = "nodes are found by labels that have one value"
_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


def as_labels(selector: Part) -> dict[str, str] | None:
    """The selector as a map of labels, each `In` of one value being a label too; None if it is not such a map."""
    found = dict(selector["matchLabels"].texts)
    for requirement in selector["matchExpressions"].items():
        label = _single_value(requirement)
        if label is None or found.setdefault(*label) != label[1]:
            return None
    return found


def is_a_map(draft: Draft) -> Iterator[Problem]:
    """C12: an expression that is not a single label cannot be set on a new node, nor be a plan's."""
    selector = draft.resource["labelSelector"]
    found = dict(selector["matchLabels"].texts)
    for requirement in selector["matchExpressions"].items():
        label = _single_value(requirement)
        if label is None:
            message = "invalid value: only matchLabels or 'In' with one value can be used"
            why = "new nodes are given these labels" if draft.buys_nodes else _FOUND_BY
            yield Problem("C12", requirement.path, f"{message}, because {why}")
        elif found.setdefault(*label) != label[1]:
            message = f"invalid value: {shown(label[0])} is to be both {shown(found[label[0]])} and {shown(label[1])}"
            yield Problem("C12", requirement.path, f"{message}; no node has two values of one label")


def is_the_users_own(draft: Draft) -> Iterator[Problem]:
    """C13: reserved keys are ignored in selectors, so a selector with only those would match every node."""
    match_labels = draft.resource["labelSelector"]["matchLabels"]
    if draft.first_version or not match_labels.texts:
        return
    if not labels.without_reserved(dict(match_labels.texts)):
        yield Problem("C13", match_labels.path, "matchLabels must contain at least one non-reserved label")


def can_be_labels(draft: Draft) -> Iterator[Problem]:
    """M1, M2: labels that no node can have, or no bought node."""
    selector, bought = draft.resource["labelSelector"], draft.buys_nodes
    for key, value in (as_labels(selector) or {}).items():
        if not _is_key(key):
            yield Problem("M1", selector.path, f"invalid value: {shown(key)} is not a label key: at most 63 {_ALLOWED}")
        if not _is_value(value):
            yield Problem(
                "M1", selector.path, f"invalid value: {shown(value)} is not a label value: at most 63 {_ALLOWED}"
            )
        if bought and labels.forbidden_on_nodes(key):
            message = f"invalid value: new nodes cannot be given the label {shown(key)}"
            yield Problem("M2", selector.path, f"{message}: its domain is Kubernetes' own. Use a label of your own")


def are_not_ours(draft: Draft) -> Iterator[Problem]:
    """M22: labels that say whose a node is, or are its provider's. Those that KAITO itself strips are stripped here."""
    selector = draft.resource["labelSelector"]
    is_reserved = labels.reserved_on_nodes if draft.buys_nodes else labels.is_ours
    for key in labels.without_reserved(as_labels(selector) or {}):
        if is_reserved(key):
            message = f"invalid value: the label {shown(key)} is reserved for Modelyard, KAITO and providers of nodes"
            yield Problem("M22", selector.path, f"{message}. {_OWN}")


def of_templates(draft: Draft) -> Iterator[Problem]:
    """M23: what Modelyard itself sets on pods, and finds its own pods and nodes by."""
    template = draft.inference["template"]
    for part in (template["metadata"]["labels"], template["metadata"]["annotations"], template["spec"]["nodeSelector"]):
        for key in part.mapping:
            if labels.is_ours(key) or key in (labels.WORKSPACE, labels.WORKSPACE_NAMESPACE):
                yield Problem("M23", part.path, f"invalid value: {shown(key)} is set by Modelyard alone. {_OWN}")


_OWN: Final = "Use a key of your own, such as example.com/team"
_ALLOWED: Final = "letters, digits, '-', '_' and '.', with a letter or digit at both ends"


def _single_value(requirement: Part) -> tuple[str, str] | None:
    values = requirement["values"].value
    key = requirement["key"].text
    if requirement["operator"].text != "In" or not key or not isinstance(values, list):
        return None
    return (key, values[0]) if len(values) == 1 and isinstance(values[0], str) else None


def _is_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    return _is_part(name) and (not slash or is_subdomain(prefix))


def _is_value(value: str) -> bool:
    return not value or _is_part(value)


def _is_part(text: str) -> bool:
    return len(text) <= LABEL_MAX and _LABEL.fullmatch(text) is not None
