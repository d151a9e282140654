"""The provisioner of a local stack on a real API server: a volume for each claim of its class, and gone with it.

No controller runs: nothing binds claims, and what is deleted waits for the controllers that protect what is in use.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from deploy.local.cluster.volumes import CLASS, PATH, Provisioner
from deploy.local.layout import Layout
from testing.api_server import connected
from testing.deadlines import PATIENCE_S

NAMESPACE: Final = "default"


@pytest.fixture
async def cluster(shared_api_server: Layout) -> AsyncIterator[Cluster]:
    async with connected(shared_api_server) as found:
        yield found


@pytest.fixture
async def folder(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Path]:
    """Of the volumes of a provisioner that runs during the test."""
    running = asyncio.create_task(Provisioner(cluster, tmp_path / "volumes").run())
    yield tmp_path / "volumes"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def claimed(cluster: Cluster, name: str, storage_class: str = CLASS) -> str:
    """The uid of a new claim."""
    requests = {"requests": {"storage": "1Gi"}}
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": storage_class, "resources": requests}
    body = {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}
    made = await cluster.create("PersistentVolumeClaim", body)
    return str(made["metadata"]["uid"])


async def volume(cluster: Cluster, uid: str) -> Object | None:
    try:
        return await cluster.request("GET", f"{PATH}/pvc-{uid}")
    except ApiException as refused:
        if refused.status != 404:
            raise
        return None


async def until(found: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(PATIENCE_S):
        while not (answer := await found()):
            await asyncio.sleep(0.05)
        return answer


async def removed(cluster: Cluster, name: str) -> None:
    operations: list[Object] = [{"op": "remove", "path": "/metadata/finalizers"}]
    await cluster.patch("PersistentVolumeClaim", name, NAMESPACE, operations)
    await cluster.delete("PersistentVolumeClaim", name, NAMESPACE)


async def test_a_claim_gets_a_folder_that_kubelets_give_to_a_group(cluster: Cluster, folder: Path) -> None:
    uid = await claimed(cluster, "data")
    found = await until(lambda: volume(cluster, uid))
    place = Path(found["spec"]["local"]["path"])
    assert place.is_dir() and place.parent == folder
    assert found["spec"]["claimRef"]["uid"] == uid and found["spec"]["storageClassName"] == CLASS
    (place / "kept").touch()
    await removed(cluster, "data")

    async def is_gone() -> bool:
        left = await volume(cluster, uid)
        return left is None or "deletionTimestamp" in left["metadata"]

    await until(is_gone)
    assert not place.exists()


async def test_claims_of_other_classes_are_other_provisioners(cluster: Cluster, folder: Path) -> None:
    theirs, ours = await claimed(cluster, "theirs", "fast"), await claimed(cluster, "ours")
    await until(lambda: volume(cluster, ours))
    assert await volume(cluster, theirs) is None
    for name in ("theirs", "ours"):
        await removed(cluster, name)
