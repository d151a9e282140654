"""What is kept of objects that are listed only to know which ones there are: a page at a time is held whole, never all.

For the `keep` of `Cluster.list_all`. `view/watched.py` says what is kept of objects that are watched.
"""

from typing import Final

from activities.clients.kubernetes import Object

_IDENTITY: Final = ("name", "namespace", "uid", "generation", "deletionTimestamp", "resourceVersion")


def identity(item: Object) -> Object:
    """Which object it is. No labels: the authors of Workspaces choose theirs, as many as they like."""
    metadata = item["metadata"]
    return {"metadata": {key: metadata[key] for key in _IDENTITY if key in metadata}}


def labelled(item: Object) -> Object:
    """Which object it is, with its labels: of Nodes, which tenants do not write."""
    return {"metadata": identity(item)["metadata"] | {"labels": item["metadata"].get("labels") or {}}}
