"""Keeps what serves before an edit replaces it, and reads it for when the edit fails.

A ControllerRevision of the Workspace, named by the digest, has the Deployment's pod template and the data of the
ConfigMap as they were: what serves again is what served, whatever became of the user's ConfigMap, of the images and of
this release's shape of pods. Revisions are what Kubernetes' own controllers keep for this: their data never changes,
and who may write them is nobody who may not write pods. They are deleted when a newer one is kept, and go with the
Workspace. `workloads.py` applies what is read; when anything is kept is the workflow's to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from activities.clients.ownership import EXISTS, owned
from activities.contract.payloads import WorkspaceKey
from activities.manifests.serving import owner_of
from api import labels, names
from api.labels import FIELD_MANAGER

KIND: Final = "ControllerRevision"


@dataclass(frozen=True)
class KeptWorkload:
    """`template`: the Deployment's, of its pods; `config`: the data of the ConfigMap, {} for a user's template."""

    template: Object
    config: dict[str, Any]

    def put_into(self, objects: Sequence[tuple[str, Object]]) -> list[tuple[str, Object]]:
        """Returns the plan's objects with what was kept in them; the rest follows from the plan."""
        found = []
        for kind, body in objects:
            if kind == "Deployment":
                body = body | {"spec": body["spec"] | {"template": self.template}}
            elif kind == "ConfigMap":
                body = body | {"data": self.config}
            found.append((kind, body))
        return found


class KeptWorkloads:
    """The kept workloads of all Workspaces."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def keep(self, key: WorkspaceKey, digest: str, drop: str = "") -> tuple[str, dict[str, Object]]:
        """Keeps what is there, if it has the digest, and forgets what was kept with the digest `drop`. Returns the
        digest, "" for none to keep, or if it is neither there nor kept already; and what was read for it, by kind."""
        if not digest:
            return "", {}
        found = await self._found(key, digest)
        there = _workload(found, key, digest)
        if there is None:
            return (digest if await self._revision(key, digest) is not None else ""), found
        try:
            await self._cluster.create(KIND, _revision(key, digest, there), manager=FIELD_MANAGER)
        except ApiException as error:
            if error.status != EXISTS:
                raise
        if drop:
            await self._cluster.delete(KIND, names.kept_workload(key.name, drop), key.namespace)
        return digest, found

    async def read(self, key: WorkspaceKey, digest: str) -> KeptWorkload | None:
        """Returns what is there with the digest, or was kept with it; None if there is neither."""
        there = _workload(await self._found(key, digest), key, digest)
        if there is not None:
            return there  # the edit failed before it had changed anything
        found = await self._revision(key, digest)
        if found is None:
            return None
        return KeptWorkload(template=found["data"]["template"], config=found["data"]["config"])

    async def _revision(self, key: WorkspaceKey, digest: str) -> Object | None:
        """What another Workspace of that name has kept is none of ours."""
        found = await self._cluster.get(KIND, names.kept_workload(key.name, digest), key.namespace)
        return found if found is not None and owned(found, key) else None

    async def _found(self, key: WorkspaceKey, digest: str) -> dict[str, Object]:
        """What is there now, by kind; the ConfigMap is read only beside a Deployment of this digest."""
        deployment = await self._cluster.get("Deployment", names.workload(key.name), key.namespace)
        if deployment is None or not _has(deployment, key, digest):
            return {} if deployment is None else {"Deployment": deployment}
        config = await self._cluster.get("ConfigMap", names.serve_config_map(key.name), key.namespace)
        return {"Deployment": deployment} | ({"ConfigMap": config} if config is not None else {})


def _workload(found: dict[str, Object], key: WorkspaceKey, digest: str) -> KeptWorkload | None:
    """An apply that was broken off may have left the objects of two generations: those are nobody's."""
    deployment, config = found.get("Deployment"), found.get("ConfigMap")
    if deployment is None or not _has(deployment, key, digest):
        return None
    if config is not None and owned(config, key) and not _has(config, key, digest):
        return None
    template = deployment["spec"]["template"]
    metadata = {name: value for name, value in template["metadata"].items() if value is not None}
    data = (config.get("data") or {}) if config is not None and owned(config, key) else {}
    return KeptWorkload(template=template | {"metadata": metadata}, config=data)


def _has(found: Object, key: WorkspaceKey, digest: str) -> bool:
    marked = (found["metadata"].get("annotations") or {}).get(labels.CONFIG_HASH)
    return owned(found, key) and "deletionTimestamp" not in found["metadata"] and marked == digest


def _revision(key: WorkspaceKey, digest: str, kept: KeptWorkload) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": KIND,
        "metadata": {
            "name": names.kept_workload(key.name, digest),
            "namespace": key.namespace,
            "labels": labels.ownership(key.namespace, key.name, key.uid),
            "annotations": {labels.CONFIG_HASH: digest},
            "ownerReferences": [owner_of(key)],
        },
        "revision": 1,
        "data": {"template": kept.template, "config": kept.config},
    }
