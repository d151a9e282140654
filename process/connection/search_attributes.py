"""Whether a Temporal namespace has the search attributes of Workspaces, and the commands that make them.

Asks by counting with each, which a right to read allows. Makes none: that is an operator's right, and Temporal Cloud
refuses it to the key of a namespace. What workflows do without them is `workflows/status/search_attributes.py`'s.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client
from temporalio.common import SearchAttributeIndexedValueType, SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

from workflows.status.search_attributes import ALL

TYPES: Final = {SearchAttributeIndexedValueType.KEYWORD: "Keyword", SearchAttributeIndexedValueType.INT: "Int"}
"""As Temporal's commands write them."""
NOBODYS: Final = {SearchAttributeIndexedValueType.KEYWORD: "'none'", SearchAttributeIndexedValueType.INT: "-1"}
"""Values that no Workspace has, so that counting is cheap."""
RPC_TIMEOUT: Final = timedelta(seconds=10)


async def lacking(client: Client) -> list[SearchAttributeKey[Any]]:
    """Returns the attributes that the client's namespace cannot be searched by. Raises RPCError for other refusals."""
    found = []
    for key in ALL:
        try:
            await client.count_workflows(f"{key.name} = {NOBODYS[key.indexed_value_type]}", rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.INVALID_ARGUMENT:
                raise
            found.append(key)
    return found


async def are_searchable(client: Client) -> bool:
    """Whether all attributes are there; if not, logs once what to do. Asked once, when a process starts. Raises
    RPCError."""
    missing = await lacking(client)
    if missing:
        logging.getLogger(__name__).warning("%s", advice(client.namespace, missing))
    return not missing


def advice(namespace: str, missing: Sequence[SearchAttributeKey[Any]]) -> str:
    """Returns what goes without these attributes, and the complete commands that make them."""
    pairs = [(key.name, TYPES[key.indexed_value_type]) for key in missing]
    # One command each: with one --type for several names, the CLI (1.9) makes the first alone and reports success.
    create = f"temporal operator search-attribute create --namespace {namespace}"
    own = " && ".join(f"{create} --name {name} --type {type_}" for name, type_ in pairs)
    cloud = " ".join(f"--search-attribute {name}={type_}" for name, type_ in pairs)
    return (
        f"namespace {namespace} lacks search attributes: Workspaces are managed all the same, but cannot be listed by "
        "phase. Make them once, then restart watcher and workers. Self-hosted, as an operator: "
        f"`{own}`; Temporal Cloud: `tcld namespace search-attributes add --namespace {namespace} {cloud}`"
    )
