"""Whether a uid is a living Workspace's of another name: then nothing may be released under the name that was given.

A uid alone is no proof: it stands on Nodes, in tags and in messages, where others can read it. What a Workspace bought
says namespace and name as well; a reservation of GPUs has only room for the uid, and whoever has no plan has no record.
"""

from activities.clients.kubernetes import Cluster, Object
from activities.contract.payloads import WorkspaceKey


async def lives_elsewhere(cluster: Cluster, key: WorkspaceKey) -> bool:
    """Whether a Workspace with this uid exists under another namespace or name. A key without a name, of which only
    the uid is known, has none of its own."""
    if key.name:
        found = await cluster.get("Workspace", key.name, key.namespace)
        if found is not None and found["metadata"]["uid"] == key.uid:
            return False

    def same_uid(item: Object) -> Object | None:
        return {} if item["metadata"]["uid"] == key.uid else None

    found_elsewhere, _ = await cluster.list_all("Workspace", keep=same_uid)
    return bool(found_elsewhere)
