"""A real Temporal dev server: search attributes, and state that survives a restart."""

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from deploy.local.host import daemons
from deploy.local.layout import Layout
from deploy.local.services.temporal import NAME, SEARCH_ATTRIBUTES, STOP_S, temporal_daemon, ui_address
from testing.deadlines import PATIENCE_S
from workflows.status import search_attributes


@pytest.fixture
def layout(free_layout: Layout) -> Iterator[Layout]:
    # As a stack with nodes has it: other services of the stack are not on loopback.
    layout = replace(free_layout, address="127.0.0.2")
    daemons.start(layout, temporal_daemon(layout))
    yield layout
    daemons.stop(layout, NAME, STOP_S)


async def test_a_workflow_and_its_search_attributes_survive_a_restart(layout: Layout) -> None:
    client = await Client.connect(layout.temporal_address)
    attributes = TypedSearchAttributes([SearchAttributePair(search_attributes.PHASE, "Ready")])
    await client.start_workflow("Workspace", id="one", task_queue="none", search_attributes=attributes)
    daemons.stop(layout, NAME, STOP_S)
    daemons.start(layout, temporal_daemon(layout))
    client = await Client.connect(layout.temporal_address)
    found = await client.get_workflow_handle("one").describe()
    assert found.typed_search_attributes[search_attributes.PHASE] == "Ready"


def test_the_ui_answers_and_every_search_attribute_is_there(layout: Layout) -> None:
    assert "<html" in httpx.get(ui_address(layout), timeout=PATIENCE_S).text
    address = f"{ui_address(layout)}/api/v1/namespaces/default/search-attributes"
    answer = httpx.get(address, timeout=PATIENCE_S).json()
    assert {key.name for key in SEARCH_ATTRIBUTES} <= set(answer["customAttributes"])
