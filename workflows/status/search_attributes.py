"""The search attributes of a Workspace's workflow, by which the Temporal UI and the admin endpoints filter.

They are set at the start and updated only when the phase changes, because each update is a history event. `register`
registers them with the server; an unregistered one would stall every workflow.
"""

from collections.abc import Sequence
from typing import Any

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, SearchAttributeUpdate, TypedSearchAttributes

from workflows.state import WorkspaceState

PHASE = SearchAttributeKey.for_keyword("WorkspacePhase")
NAMESPACE = SearchAttributeKey.for_keyword("WorkspaceNamespace")
PRESET = SearchAttributeKey.for_keyword("WorkspacePreset")
INSTANCE_TYPE = SearchAttributeKey.for_keyword("WorkspaceInstanceType")
GENERATION = SearchAttributeKey.for_int("WorkspaceGeneration")

_TYPES = {
    PHASE.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    NAMESPACE.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    PRESET.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    INSTANCE_TYPE.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    GENERATION.name: IndexedValueType.INDEXED_VALUE_TYPE_INT,
}


def at_start(namespace: str) -> TypedSearchAttributes:
    """Returns the attributes that are known before the Workspace is read."""
    return TypedSearchAttributes([SearchAttributePair(NAMESPACE, namespace), SearchAttributePair(PHASE, "Pending")])


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


async def register(client: Client) -> None:
    """Registers the attributes that the namespace lacks; idempotent, called by every worker at start."""
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    await _add(client, {name: kind for name, kind in _TYPES.items() if name not in known.custom_attributes})


async def register_all(client: Client) -> None:
    """Registers all attributes, for servers that cannot list them, such as the time-skipping test server."""
    await _add(client, _TYPES)


async def _add(client: Client, attributes: dict[str, "IndexedValueType.ValueType"]) -> None:
    if attributes:
        request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=attributes)
        await client.operator_service.add_search_attributes(request)
