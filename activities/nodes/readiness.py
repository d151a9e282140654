"""Whether the nodes of a Workspace are there, and the waits for all of them and for none of them.

Ready means: the node's condition Ready, and as many GPUs allocatable as the machine has. Judging a node is pure; the
waits watch, so that a change is noticed when it happens.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity

from activities import signatures
from activities.contracts import NodesReady, Plan, WorkspaceKey
from activities.failures import failure
from activities.heartbeating import Progress, heartbeating
from activities.kubernetes_api import Cluster, Object
from activities.nodes.provider import nodes_selector
from activities.observing import Collection, observe
from api import labels

GONE_DEADLINE = timedelta(minutes=10)
"""The cloud's node controller removes Node objects of deleted machines within a minute or so."""


class Nodes:
    """Nodes that were bought or reserved for a Workspace."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @signatures.implements(signatures.WAIT_FOR_NODES)
    async def wait_for_nodes(self, plan: Plan) -> NodesReady:
        """Returns when all nodes are ready. Raises NodeNotJoined or NodeWithoutGpu at the plan's deadline."""
        deadline = activity.info().scheduled_time + timedelta(seconds=plan.deadlines.nodes)
        nodes: Collection = {}
        async with heartbeating() as progress:
            async for nodes in observe(self._cluster, "Node", selector=nodes_selector(plan), until=deadline):
                _report(progress, nodes, plan)
                ready = ready_names(nodes, plan.gpus_per_node)
                if len(ready) >= plan.node_count:
                    return NodesReady(names=ready)
        raise shortfall(nodes, plan)

    @signatures.implements(signatures.WAIT_FOR_NO_NODES)
    async def wait_for_no_nodes(self, key: WorkspaceKey) -> NodesReady:
        """Returns when no Node object carries the uid. Raises CleanupBlocked that names what is left."""
        nodes: Collection = {}
        async with heartbeating():
            until = datetime.now(UTC) + GONE_DEADLINE
            async for nodes in observe(
                self._cluster, "Node", selector=f"{labels.WORKSPACE_UID}={key.uid}", until=until
            ):
                if not nodes:
                    return NodesReady(names=[])
        left = ", ".join(sorted(nodes))
        raise failure("CleanupBlocked", f"what was bought is gone, but Node objects are left: {left}. Delete them")


def is_ready(node: Object) -> bool:
    """The kubelet reports Ready and nobody is removing the node."""
    conditions = node.get("status", {}).get("conditions") or []
    ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return ready and "deletionTimestamp" not in node["metadata"]


def gpus_of(node: Object) -> int:
    """GPUs that the node offers to pods."""
    return int((node.get("status", {}).get("allocatable") or {}).get(labels.GPU_RESOURCE, 0))


def ready_names(nodes: Collection, gpus: int) -> list[str]:
    """Names of the nodes that are ready with `gpus` GPUs, sorted."""
    return sorted(name for name, node in nodes.items() if is_ready(node) and gpus_of(node) >= gpus)


def shortfall(nodes: Collection, plan: Plan) -> Exception:
    """Why the nodes are not ready at the deadline, with numbers."""
    minutes = f"{plan.deadlines.nodes / 60:.0f} min"
    joined = [name for name, node in nodes.items() if is_ready(node)]
    if len(joined) < plan.node_count:
        message = (
            f"{len(joined)} of {plan.node_count} nodes of pool {plan.pool_name} joined the cluster within {minutes}"
        )
        return failure("NodeNotJoined", message, final=True)
    offered = {name: gpus_of(nodes[name]) for name in sorted(joined)}
    message = f"after {minutes} the nodes offer {offered} GPUs, {plan.gpus_per_node} each were expected"
    return failure("NodeWithoutGpu", message, final=True)


def _report(progress: Progress, nodes: Collection, plan: Plan) -> None:
    counts: dict[str, Any] = {
        "joined": sum(map(is_ready, nodes.values())),
        "withGpu": len(ready_names(nodes, plan.gpus_per_node)),
        "wanted": plan.node_count,
    }
    progress.say(counts)
