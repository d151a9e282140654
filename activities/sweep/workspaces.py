"""Lists every Workspace of the cluster, and every one that has a running workflow.

Read-only; workflows/sweep/workflow.py decides what a difference between the two means.
"""

from datetime import timedelta
from typing import Final

from temporalio.client import Client

from activities.clients.identities import identity
from activities.clients.kubernetes import Cluster
from activities.contract import signatures
from activities.contract.payloads import WorkspaceKey
from activities.contract.sweep import RunningWorkflows, SweepScope, WorkspaceList, WorkspaceRef
from api import names

RUNNING: Final = "WorkflowType = 'Workspace' AND ExecutionStatus = 'Running'"
RPC_TIMEOUT: Final = timedelta(seconds=30)
MEMO_UID: Final = "uid"
"""The memo field in which every Workspace's workflow stores the uid that it was started for."""


class Populations:
    """The API server's view and Temporal's. `searchable`: whether Temporal has the search attributes, which a workflow
    that the sweep starts must know."""

    def __init__(self, cluster: Cluster, temporal: Client, *, searchable: bool) -> None:
        self._cluster = cluster
        self._temporal = temporal
        self._searchable = searchable

    @signatures.implements(signatures.READ_POPULATION)
    async def read_population(self, scope: SweepScope) -> WorkspaceList:
        """Returns every Workspace, including those being deleted."""
        items, _ = await self._cluster.list_all("Workspace", keep=identity)
        return WorkspaceList(workspaces=[_living(item["metadata"]) for item in items])

    @signatures.implements(signatures.READ_RUNS)
    async def read_runs(self, scope: SweepScope) -> RunningWorkflows:
        """Returns every running Workspace workflow; those started in the last seconds may be missing."""
        found = []
        async for execution in self._temporal.list_workflows(RUNNING, rpc_timeout=RPC_TIMEOUT):
            namespace, name = names.key_of_workflow(execution.id)
            uid = await execution.memo_value(MEMO_UID, default="", type_hint=str)
            found.append(WorkspaceKey(namespace=namespace, name=name, uid=uid))
        return RunningWorkflows(workspaces=found, searchable=self._searchable)


def _living(metadata: dict[str, object]) -> WorkspaceRef:
    key = WorkspaceKey(namespace=str(metadata["namespace"]), name=str(metadata["name"]), uid=str(metadata["uid"]))
    generation = metadata.get("generation")
    return WorkspaceRef(
        key=key,
        generation=generation if isinstance(generation, int) else 0,
        deleting="deletionTimestamp" in metadata,
    )
