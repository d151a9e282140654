"""A status is never applied over a newer one, whatever this process has read of the Workspace for something else."""

from typing import Any

from kubernetes.aio.client.exceptions import ApiException

from activities.contract.payloads import StatusPatch, WorkspaceKey
from activities.status.statuses import Statuses

KEY = WorkspaceKey(namespace="default", name="one", uid="uid-1")


class OneWorkspace:
    """Stands for the API server: an apply with another resourceVersion than the last is refused."""

    def __init__(self) -> None:
        self.version = 1
        self.status: dict[str, Any] = {}

    def found(self) -> dict[str, Any]:
        return {"metadata": {"uid": KEY.uid, "resourceVersion": str(self.version)}, "status": dict(self.status)}

    async def get(self, kind: str, name: str, namespace: str) -> dict[str, Any]:
        return self.found()

    async def apply(self, kind: str, body: dict[str, Any], *, subresource: str) -> dict[str, Any]:
        if body["metadata"]["resourceVersion"] != str(self.version):
            raise ApiException(status=409)
        self.version, self.status = self.version + 1, body["status"]
        return self.found()


async def nobody_is_told(key: WorkspaceKey) -> None:
    raise AssertionError(f"{key} is there")


def status(revision: int, phase: str) -> StatusPatch:
    return StatusPatch(workspace=KEY, status={"phase": phase, "revision": revision})


async def test_a_newer_status_that_was_read_for_a_plan_stays() -> None:
    server = OneWorkspace()
    late, other = (Statuses(server, nobody_is_told) for _ in range(2))  # type: ignore[arg-type]
    await late.apply(status(1, "Pending"))
    await other.apply(status(3, "Ready"))
    late.note(server.found())
    assert (await late.apply(status(2, "Provisioning"))).found
    assert server.status == {"phase": "Ready", "revision": 3}
