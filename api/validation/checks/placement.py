"""`resource`: the node provider, the node count, and the part of a node's GPUs.

Rules about the provider apply only if it is known, from the Workspace's annotation or the installation.
"""

from collections.abc import Iterator
from typing import Final

from api import labels
from api.replicas import MOST
from api.resource import mig
from api.validation.document import Draft
from api.validation.problem import Problem, shown

_OWN_NODES: Final = f"for your own nodes, set the annotation {labels.NODE_PROVIDER}: byo"


def count(draft: Draft) -> Iterator[Problem]:
    """M3: a number of nodes that can be bought."""
    part = draft.resource["count"]
    if part.number is not None and not 1 <= part.number <= MOST:
        yield Problem("M3", part.path, f"invalid value: {part.number} nodes; use 1 to {MOST}")


def machine(draft: Draft) -> Iterator[Problem]:
    """C8, C9: a machine type is required where nodes are bought, and has no meaning on the user's own nodes."""
    part = draft.resource["instanceType"]
    if draft.buys_nodes and not draft.instance_type.strip() and (draft.resource.is_map or not draft.resource.given):
        message = "instanceType is required when node auto-provisioning is enabled"
        yield Problem("C8", part.path, f"{message}: set one, for instance Standard_NC24ads_A100_v4; {_OWN_NODES}")
    if draft.brings_nodes and part.text and not draft.first_version:
        message = "instanceType must be empty when node auto-provisioning is disabled (BYO scenario)"
        yield Problem("C9", part.path, f"{message}; got {shown(part.text)}")


def selector_is_there(draft: Draft) -> Iterator[Problem]:
    """M4: without a selector, every node would match."""
    if draft.brings_nodes and not draft.resource.given:
        yield Problem("M4", "resource", "missing field(s): labelSelector says which of your own nodes are meant")


def partition(draft: Draft) -> Iterator[Problem]:
    """C23 to C27: a part of a node's GPUs."""
    part = draft.resource["partition"]
    if not part.given:
        return
    if draft.buys_nodes:
        yield Problem("C23", part.path, f"GPU partitioning is only supported with BYO nodes; {_OWN_NODES}")
    if draft.tuning.given:
        yield Problem("C24", part.path, "GPU partitioning is not supported for tuning; remove partition")
    if not part.is_map:
        return
    mode, profile, number = part["mode"], part["profile"], part["count"]
    if mode.text == "mig":
        if number.given:
            yield Problem("C25", number.path, "count is only valid for accelerator mode")
        if not profile.given or (isinstance(profile.value, str) and profile.text not in mig.PROFILES):
            yield Problem("C25", profile.path, f"unknown MIG profile {shown(profile.text)}; {mig.REMEDY}")
    elif mode.text == "accelerator":
        if profile.given:
            yield Problem("C26", profile.path, "profile is not valid for accelerator mode")
        if not number.given:
            yield Problem("C26", number.path, "missing field(s): partition.count says how many GPUs of a node")
    elif isinstance(mode.value, str):
        yield Problem("C27", mode.path, f"unsupported partition mode {shown(mode.text)}; use mig or accelerator")
