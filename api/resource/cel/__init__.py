"""The admission rules that the API server itself can hold, in CEL, for the CRD: they apply where no webhook does.

They are a part of the webhook's rules (api/validation), with its words, and no rule of their own; what needs
annotations, a catalogue or another object is left to the webhook. No rule refuses an update for what it leaves alone:
status, labels and finalizers can be written whatever is stored.
"""

from typing import Any, Final

from api.resource.cel.rule import CelRule
from api.resource.cel.states import STATES
from api.resource.cel.updates import UPDATES, machine

Schema = dict[str, Any]
KEY: Final = "x-kubernetes-validations"
BOUNDS: Final = {"resource.instanceType": 256, "resource.partition.profile": 64}
"""Longest values, far above what Azure and MIG have: without a bound the API server takes rules about them for too
expensive."""


def with_rules(schema: Schema, version: str) -> Schema:
    """The schema of a Workspace of that version, in place, with the rules at the places they are about."""
    for rule in rules(version):
        _node(schema, rule.at).setdefault(KEY, []).append(rule.wire())
    for path, longest in BOUNDS.items():
        _node(schema, path)["maxLength"] = longest
    return schema


def without_rules(document: Any) -> Any:
    """A CRD without what API servers before 1.25 do not know."""
    if isinstance(document, list):
        return [without_rules(item) for item in document]
    if not isinstance(document, dict):
        return document
    return {key: without_rules(value) for key, value in document.items() if key != KEY}


def rules(version: str) -> tuple[CelRule, ...]:
    """All rules of that version of the API."""
    return (*STATES, *UPDATES, machine(version))


def _node(schema: Schema, path: str) -> Schema:
    for name in path.split(".") if path else ():
        schema = schema["properties"][name]
    return schema
