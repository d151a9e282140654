"""Annotations whose values mean something."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from api import labels, purchasing
from api.replicas import read_replicas
from api.validation.document import PROVISIONERS, Draft
from api.validation.problem import Problem, shown

IMAGE_FAMILIES: Final = ("ubuntu", "azurelinux")
PERFORMANCE_MODES: Final = ("balanced", "interactivity", "throughput")
PROVIDERS: Final = ("aks", "karpenter", "byo")
NODE_CLASSES: Final = ("image-family-ubuntu", "image-family-azure-linux")
"""The NodeClasses that KAITO creates at its start."""
CHECKED: Final = frozenset(
    {
        labels.NODE_IMAGE_FAMILY,
        labels.PERFORMANCE_MODE,
        labels.USE_LOCAL_WEIGHTS,
        labels.NODE_CLASS_NAME,
        labels.NODE_PROVIDER,
        labels.NODE_PROVISIONER,
        labels.RUNTIME,
        labels.BYPASS_RESOURCE_CHECKS,
        labels.INSTANCE_TYPE_FALLBACKS,
        labels.MAX_PRICE_PER_HOUR,
        labels.ZONES,
        labels.CAPACITY_TYPES,
        labels.REPLICAS,
        labels.ENABLE_LOAD_BALANCER,
    }
)
"""Annotations that a rule reads: a change of another one cannot make a Workspace wrong."""

PURCHASE: Final[tuple[tuple[str, str, Callable[[str], object]], ...]] = (
    ("M15", labels.MAX_PRICE_PER_HOUR, purchasing.price_limit),
    ("M16", labels.ZONES, purchasing.zones),
    ("M17", labels.CAPACITY_TYPES, purchasing.capacity_types),
    ("M25", labels.REPLICAS, read_replicas),
)
"""How each annotation about the purchase is read; ValueError says what is wrong."""


def values(draft: Draft) -> Iterator[Problem]:
    """C4 to C7, M7, M15 to M17, M25: rejects unknown values, which would otherwise be ignored silently."""
    family = draft.annotation(labels.NODE_IMAGE_FAMILY)
    if family.given and family.text.strip().lower() not in ("", *IMAGE_FAMILIES):
        yield _refused("C4", family.path, f"unsupported node image family {shown(family.text)}", IMAGE_FAMILIES)
    mode = draft.annotation(labels.PERFORMANCE_MODE)
    if mode.given and mode.text not in PERFORMANCE_MODES:
        yield _refused("C5", mode.path, f"{shown(mode.text)} is not a valid performance mode", PERFORMANCE_MODES)
    local = draft.annotation(labels.USE_LOCAL_WEIGHTS)
    if local.given and local.text not in ("true", "false"):
        yield Problem("C6", local.path, f'invalid value: {shown(local.text)} must be "true" or "false"')
    yield from _node_class(draft)
    for key, known in ((labels.NODE_PROVIDER, PROVIDERS), (labels.NODE_PROVISIONER, (*PROVISIONERS, *PROVIDERS))):
        part = draft.annotation(key)
        if part.given and part.text not in known:
            yield _refused("M7", part.path, f"invalid value: {shown(part.text)} is not a node provider", known)
    for rule, key, read in PURCHASE:
        part = draft.annotation(key)
        try:
            read(part.text)
        except ValueError as error:
            yield Problem(rule, part.path, f"invalid value: {shown(part.text)} {error}")
    if draft.kind == "tuning" and draft.annotation(labels.REPLICAS).text.strip() not in ("", "1"):
        path = draft.annotation(labels.REPLICAS).path
        yield Problem("M25", path, "invalid value: a training runs on one node; remove the annotation")


def checked(annotations: Mapping[str, object]) -> dict[str, object]:
    """The annotations that rules read."""
    return {key: value for key, value in annotations.items() if key in CHECKED}


def _node_class(draft: Draft) -> Iterator[Problem]:
    chosen = draft.annotation(labels.NODE_CLASS_NAME)
    if draft.provider == "karpenter" and chosen.text and chosen.text not in NODE_CLASSES:
        yield _refused("C7", chosen.path, f"{shown(chosen.text)} is not a KAITO-managed NodeClass", NODE_CLASSES)


def _refused(rule: str, path: str, what: str, known: tuple[str, ...]) -> Problem:
    return Problem(rule, path, f"{what}; use {' or '.join(known)}")
