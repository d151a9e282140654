"""The payloads of the sweep, which looks for what no Workspace owns any more.

The rules of `payloads.py` hold here.
"""

from typing import Literal

from pydantic import Field

from activities.contract.payloads import Payload, WorkspaceKey
from api.providers import Provider


class SweepScope(Payload):
    """Which installation is swept: a worker serves one cluster. `when_changeable` waits until the cluster takes changes
    of its node pools."""

    when_changeable: bool = False


class OwnedResource(Payload):
    """A resource that costs money or blocks others, and the Workspace that its tags or labels name. A reservation names
    only the uid."""

    kind: Literal["node_pool", "node_claims", "node_reservations"]
    name: str
    workspace: WorkspaceKey


class Inventory(Payload):
    """Everything in one place that carries our tags or labels, sorted by name; `cloud` is whether node pools may exist
    as well."""

    things: list[OwnedResource] = Field(default_factory=list)
    cloud: bool = True


class Providers(Payload):
    """Providers that may hold nodes of a Workspace whose workflow has no plan."""

    names: list[Provider] = Field(default_factory=list)


class WorkspaceRef(Payload):
    """One Workspace that exists in the API server."""

    key: WorkspaceKey
    generation: int = 0
    deleting: bool = False


class WorkspaceList(Payload):
    """Every Workspace of the cluster."""

    workspaces: list[WorkspaceRef] = Field(default_factory=list)


class RunningWorkflows(Payload):
    """The Workspaces that have a running workflow, by the uid that it was started for. `searchable`: whether Temporal
    has the search attributes."""

    workspaces: list[WorkspaceKey] = Field(default_factory=list)
    searchable: bool = True
