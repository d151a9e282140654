"""How many copies of a server a Workspace wants, each on a node of its own. Pure.

Of a preset the annotation says so: `resource.count` is a hint there, as KAITO has it. Of a template, `resource.count`
says so where the annotation does not. A training runs on one node.
"""

import re
from collections.abc import Mapping
from typing import Final

from api import labels

MOST: Final = 1000
"""Nodes of one AKS node pool at most; a Workspace is one pool."""
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,3}")


def read_replicas(text: str) -> int | None:
    """The annotation's number; None where nothing is written. Raises ValueError for what is no number of replicas."""
    if not text.strip():
        return None
    if not _NUMBER.fullmatch(text.strip()) or int(text) > MOST:
        raise ValueError(f"is not a number of replicas: use 1 to {MOST}, in quotes")
    return int(text)


def replicas(annotations: Mapping[str, str], *, kind: str, count: int, planned: int | None) -> int:
    """Copies, 1 or more for what admission takes. `kind` is preset, template or tuning; `planned` are the nodes in the
    status.

    Before there was the annotation, the count of a preset was the number of replicas. A Workspace that was planned so
    keeps them: its status says as many nodes as its count, which no plan of a preset does since without the annotation.
    """
    if kind == "tuning":
        return 1
    try:
        given = read_replicas(annotations.get(labels.REPLICAS, ""))
    except ValueError:  # M25 reports it
        given = None
    if given is not None:
        return given
    return count if kind == "template" or keeps_count(count, planned) else 1


def keeps_count(count: int, planned: int | None) -> bool:
    """Whether a preset without the annotation was planned when its count meant replicas."""
    return count > 1 and planned == count
