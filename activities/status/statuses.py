"""Applies the status of a Workspace: never over a newer one, never to a later Workspace of the same name.

The status is a server-side apply of all fields we own, so that fields of others stay. It carries the uid, and the
resourceVersion that was seen last: if anything has changed meanwhile, the API server refuses it, and the revision of
the status that is there decides. `activities/status/writer.py` decides when a status is written.
"""

from collections import OrderedDict
from typing import Final

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.payloads import Observed, Sighting, StatusPatch
from activities.status.writer import ReportGone, StatusWriter
from activities.workspaces import observed, read_ours
from api import labels

REMEMBERED: Final = 5000
"""Workspaces whose last resourceVersion is remembered; some 200 bytes each. Any other costs one read more."""
CONFLICTS_MAX: Final = 5
"""Reads and applies in turn, while others write the same Workspace, before the write counts as failed."""


class Statuses:
    """The statuses that this process writes."""

    def __init__(self, cluster: Cluster, report_gone: ReportGone) -> None:
        """Requires a running loop."""
        self._cluster = cluster
        self._seen: OrderedDict[str, Sighting] = OrderedDict()
        self.writer = StatusWriter(self.apply, report_gone)

    @signatures.implements(signatures.PATCH_STATUS)
    async def patch_status(self, patch: StatusPatch) -> Observed:
        """Returns once this status, or a newer one, is written; `found` is False if the Workspace is gone."""
        return await self.writer.confirm(patch)

    def note(self, found: Object) -> None:
        """Remembers a Workspace that was just read or written for something else: the next status needs no read."""
        self._seen[found["metadata"]["uid"]] = Sighting.of(found)
        self._seen.move_to_end(found["metadata"]["uid"])
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    async def apply(self, patch: StatusPatch) -> Observed:
        """Applies the status unless a newer one is there. Raises what requests raise, and ApiServerUnavailable if
        others keep on changing the Workspace."""
        key = patch.workspace
        seen = newer(self._seen.get(key.uid), patch.sighting)
        for _ in range(CONFLICTS_MAX):
            if seen is None or seen.revision > patch.revision:
                found = await read_ours(self._cluster, key)
                if found is None:
                    self._seen.pop(key.uid, None)
                    return Observed(found=False)
                seen = Sighting.of(found)
                if seen.revision > patch.revision:  # another process has gone on with this Workspace
                    return observed(found)
            try:
                applied = await self._cluster.apply("Workspace", _body(patch, seen), subresource="status")
                self.note(applied)
                return observed(applied)
            except ApiException as error:
                if error.status not in (404, 409):
                    raise
            seen = None
        raise failure("ApiServerUnavailable", f"Workspace {key.namespace}/{key.name} kept changing under its status")


def newer(known: Sighting | None, told: Sighting | None) -> Sighting | None:
    """Returns which of two sightings is the later one; a wrong choice costs a conflict and a read.

    Versions of one kind of object are decimal numbers that grow: Kubernetes says so from 1.35 on (KEP-5504), and they
    were so before. One that is no number is not compared: what this process has seen itself counts then.
    """
    if known is None or told is None:
        return known or told
    both = known.resource_version, told.resource_version
    if not all(version.isdecimal() for version in both):
        return known
    return told if int(both[1]) > int(both[0]) else known


def _body(patch: StatusPatch, seen: Sighting) -> Object:
    key = patch.workspace
    return {
        "apiVersion": labels.V1BETA1,
        "kind": labels.KIND,
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "uid": key.uid,
            "resourceVersion": seen.resource_version,
        },
        "status": patch.status,
    }
