"""A status is never applied over a newer one, whatever this process has read of the Workspace for something else."""

from typing import Any

from kubernetes.aio.client.exceptions import ApiException

from activities.contract.payloads import Sighting, StatusPatch, WorkspaceKey
from activities.status.statuses import Statuses, newer

KEY = WorkspaceKey(namespace="default", name="one", uid="uid-1")


class OneWorkspace:
    """Stands for the API server: an apply with another resourceVersion than the last is refused."""

    def __init__(self) -> None:
        self.version = 1
        self.status: dict[str, Any] = {}
        self.reads = self.refused = 0

    def found(self) -> dict[str, Any]:
        return {"metadata": {"uid": KEY.uid, "resourceVersion": str(self.version)}, "status": dict(self.status)}

    async def get(self, kind: str, name: str, namespace: str) -> dict[str, Any]:
        self.reads += 1
        return self.found()

    async def apply(self, kind: str, body: dict[str, Any], *, subresource: str) -> dict[str, Any]:
        if body["metadata"]["resourceVersion"] != str(self.version):
            self.refused += 1
            raise ApiException(status=409)
        self.version, self.status = self.version + 1, body["status"]
        return self.found()


async def nobody_is_told(key: WorkspaceKey) -> None:
    raise AssertionError(f"{key} is there")


def status(revision: int, phase: str, sighting: Sighting | None = None) -> StatusPatch:
    return StatusPatch(workspace=KEY, status={"phase": phase, "revision": revision}, sighting=sighting)


async def test_a_newer_status_that_was_read_for_a_plan_stays() -> None:
    server = OneWorkspace()
    late, other = (Statuses(server, nobody_is_told) for _ in range(2))  # type: ignore[arg-type]
    await late.apply(status(1, "Pending"))
    await other.apply(status(3, "Ready"))
    late.note(server.found())
    assert (await late.apply(status(2, "Provisioning"))).found
    assert server.status == {"phase": "Ready", "revision": 3}


async def test_what_the_watcher_saw_spares_the_read_before_the_first_status_and_after_a_change() -> None:
    server = OneWorkspace()
    statuses = Statuses(server, nobody_is_told)  # type: ignore[arg-type]
    await statuses.apply(status(1, "Pending", Sighting.of(server.found())))
    await statuses.apply(status(2, "Provisioning", Sighting(resource_version="1")))  # older than its own write
    server.version += 5  # deleted by a user
    await statuses.apply(status(3, "Deleting", Sighting.of(server.found())))
    assert (server.reads, server.refused, server.status["phase"]) == (0, 0, "Deleting")


async def test_a_sighting_that_is_out_of_date_costs_one_read_and_no_status() -> None:
    server = OneWorkspace()
    await Statuses(server, nobody_is_told).apply(status(4, "Ready"))  # type: ignore[arg-type]
    fresh = Statuses(server, nobody_is_told)  # type: ignore[arg-type]
    await fresh.apply(status(3, "Verifying", Sighting(resource_version="1")))
    assert (server.status["phase"], server.refused) == ("Ready", 1)
    await fresh.apply(status(5, "Deleting", Sighting(resource_version="1")))
    assert server.status["phase"] == "Deleting"


def test_versions_are_compared_as_numbers_and_not_at_all_if_they_are_none() -> None:
    nine, ten, odd = (Sighting(resource_version=version) for version in ("9", "10", "0x1f"))
    assert newer(nine, ten) == newer(ten, nine) == ten
    assert newer(None, nine) == newer(nine, None) == newer(nine, odd) == nine
    assert newer(odd, nine) == odd
    assert newer(None, None) is None
