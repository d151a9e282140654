"""The search attributes of a Workspace's workflow, by which the Temporal UI and the admin endpoints filter.

They are set at the start and updated only when the phase changes, because each update is a history event. A server that
lacks one refuses the workflow task that sets it: whoever starts a workflow says so in its input, and the watcher with
every message (`Control.searchable`). Whether the server has them is `process/connection/search_attributes.py`'s.
"""

from collections.abc import Sequence
from typing import Any, Final

from temporalio.common import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

from workflows.state import WorkspaceState

PHASE = SearchAttributeKey.for_keyword("WorkspacePhase")
NAMESPACE = SearchAttributeKey.for_keyword("WorkspaceNamespace")
PRESET = SearchAttributeKey.for_keyword("WorkspacePreset")
INSTANCE_TYPE = SearchAttributeKey.for_keyword("WorkspaceInstanceType")
GENERATION = SearchAttributeKey.for_int("WorkspaceGeneration")
ALL: Final[Sequence[SearchAttributeKey[Any]]] = (PHASE, NAMESPACE, PRESET, INSTANCE_TYPE, GENERATION)


def at_start(namespace: str, *, searchable: bool) -> TypedSearchAttributes:
    """Returns the attributes that are known before the Workspace is read; none for a server that lacks them."""
    known = [SearchAttributePair(NAMESPACE, namespace), SearchAttributePair(PHASE, "Pending")]
    return TypedSearchAttributes(known if searchable else [])


def of_state(state: WorkspaceState) -> list[SearchAttributePair[Any]]:
    """Returns all attributes as they should be."""
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(NAMESPACE, state.key.namespace),
        SearchAttributePair(PHASE, state.status.phase.value),
        SearchAttributePair(GENERATION, state.spec.observed),
    ]
    if plan := state.spec.plan:
        pairs += [SearchAttributePair(PRESET, plan.preset), SearchAttributePair(INSTANCE_TYPE, plan.instance_type)]
    return pairs


def changes(
    shown: TypedSearchAttributes, wanted: Sequence[SearchAttributePair[Any]]
) -> list[SearchAttributeUpdate[Any]]:
    """Returns the updates that make the attributes shown those that are wanted."""
    return [pair.key.value_set(pair.value) for pair in wanted if shown.get(pair.key) != pair.value]
