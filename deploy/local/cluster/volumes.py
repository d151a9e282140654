"""Provides volumes for the claims of a local stack: `python -m deploy.local.cluster.volumes --kubeconfig FILE
--folder FOLDER`. A dynamic provisioner, as every cluster has one.

A volume is a folder of this machine, which every node sees. It is root's, as a new disk is: the kubelet hands it to the
pod's fsGroup, which it does for `local` volumes and would not do for those of Kubernetes' own hostPath provisioner.
Kubernetes binds claims and protects those in use.
"""

import argparse
import asyncio
import logging
import shutil
from functools import partial
from pathlib import Path
from typing import Final

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import REQUEST_ERRORS, Cluster, Object
from activities.clients.watch import EventType, follow
from process.run import run

CLASS: Final = "local"
STORAGE_CLASS: Final[Object] = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    "provisioner": "modelyard.dev/local",
    "reclaimPolicy": "Delete",
}
PATH: Final = "/api/v1/persistentvolumes"
RETRY_S: Final = 0.5
DONE: Final = (404, 409)
"""Statuses of a delete of what is gone, and of a create of what is there."""
log = logging.getLogger(__name__)


class Provisioner:
    """Makes a volume when a claim appears, and removes it when the claim is gone."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        self._folder = folder

    async def run(self) -> None:
        """Follows all claims until cancelled."""
        await follow(self._cluster, "PersistentVolumeClaim", self._seen)

    async def _seen(self, seen: EventType, claim: Object) -> None:
        if claim["spec"].get("storageClassName") != CLASS:
            return
        volume = volume_of(claim, self._folder)
        folder = Path(volume["spec"]["local"]["path"])
        if seen is EventType.GONE:
            shutil.rmtree(folder, ignore_errors=True)
            await self._until_done("DELETE", f"{PATH}/{volume['metadata']['name']}", None)
        elif not claim["spec"].get("volumeName"):
            folder.mkdir(parents=True, exist_ok=True)
            await self._until_done("POST", PATH, volume)

    async def _until_done(self, method: str, path: str, body: Object | None) -> None:
        while True:
            try:
                await self._cluster.request(method, path, body=body)
                return
            except REQUEST_ERRORS as refused:
                if isinstance(refused, ApiException) and refused.status in DONE:
                    return
                log.warning("%s %s: %s; trying again", method, path, refused)
            await asyncio.sleep(RETRY_S)


def volume_of(claim: Object, folder: Path) -> Object:
    """Returns the PersistentVolume of a claim; its folder is named by the claim's uid, as the volume is."""
    metadata = claim["metadata"]
    name = f"pvc-{metadata['uid']}"
    owner = {key: metadata[key] for key in ("namespace", "name", "uid")}
    # The type demands a rule for nodes; this one takes all that a stack has.
    anywhere = {"key": "kubernetes.io/os", "operator": "NotIn", "values": ["windows"]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "accessModes": claim["spec"]["accessModes"],
            # It is removed here, not by Kubernetes.
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": CLASS,
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **owner},
            "local": {"path": str(folder / name)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [anywhere]}]}},
        },
    }


async def serve(kubeconfig: Path, folder: Path, stop: asyncio.Event) -> None:
    """Runs until `stop` is set."""
    cluster = await Cluster.connect(str(kubeconfig), direct=True)
    following = asyncio.create_task(Provisioner(cluster, folder).run())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([following, stopping], return_when=asyncio.FIRST_COMPLETED)
        following.cancel()
        await asyncio.gather(following, return_exceptions=stop.is_set())
    finally:
        await cluster.close()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.cluster.volumes")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="of the stack's owner")
    parser.add_argument("--folder", type=Path, required=True, help="holds a folder for each volume")
    options = parser.parse_args()
    run(partial(serve, options.kubeconfig, options.folder))


if __name__ == "__main__":
    main()
