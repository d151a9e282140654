"""Waits for all nodes of a Workspace to be ready, for the loss of one, or for all to be gone.

Ready means: the node's condition Ready, and as many GPUs allocatable as the machine has. Evaluating a node is pure; the
waits watch, so that a change is detected at once.
"""

from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity

from activities.clients.kubernetes import Cluster, Object
from activities.clients.watch import Collection, observe
from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.nodes import NodesHeld, NodesLost, NodesReady
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Plan
from activities.heartbeat import Progress, heartbeating
from activities.nodes.provider import nodes_selector
from api import labels

LOOK_AGAIN = timedelta(hours=1)
"""A watch of nodes is restarted after this long."""
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
            async for nodes in observe(
                self._cluster, "Node", selector=nodes_selector(plan.key.uid, plan.provider), until=deadline
            ):
                _report(progress, nodes, plan)
                ready = ready_names(nodes, plan.gpus_per_node)
                if len(ready) >= plan.node_count:
                    return NodesReady(names=ready)
        raise shortfall(nodes, plan)

    @signatures.implements(signatures.WAIT_FOR_NODE_LOSS)
    async def wait_for_node_loss(self, held: NodesHeld) -> NodesLost:
        """Returns when fewer nodes are ready than the plan wants: at once if a Node is gone, after the plan's `unready`
        if it is only not ready. Otherwise waits until cancelled."""
        plan, grace = held.plan, timedelta(seconds=held.plan.deadlines.unready)
        since: datetime | None = None
        async with heartbeating() as progress:
            while True:
                until = since + grace if since else datetime.now(UTC) + LOOK_AGAIN
                looks = observe(
                    self._cluster, "Node", selector=nodes_selector(plan.key.uid, plan.provider), until=until
                )
                async with aclosing(looks):
                    async for nodes in looks:
                        missing = missing_names(nodes, held)
                        progress.report({"missing": missing})
                        if any(is_going(nodes.get(name)) for name in missing):
                            return NodesLost(names=missing)
                        if bool(missing) != bool(since):
                            since = datetime.now(UTC) if missing else None
                            break
                if since and datetime.now(UTC) >= since + grace:
                    return NodesLost(names=missing)

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
    """Whether the kubelet reports Ready and the node is not being deleted."""
    conditions = node.get("status", {}).get("conditions") or []
    ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return ready and "deletionTimestamp" not in node["metadata"]


def gpus_of(node: Object) -> int:
    """GPUs that the node offers to pods."""
    return int((node.get("status", {}).get("allocatable") or {}).get(labels.GPU_RESOURCE, 0))


def ready_names(nodes: Collection, gpus: int) -> list[str]:
    """Names of the nodes that are ready with `gpus` GPUs, sorted."""
    return sorted(name for name, node in nodes.items() if is_ready(node) and gpus_of(node) >= gpus)


def missing_names(nodes: Collection, held: NodesHeld) -> list[str]:
    """Which of the held nodes are not ready, sorted; [] if enough nodes are ready under other names."""
    ready = ready_names(nodes, held.plan.gpus_per_node)
    return [] if len(ready) >= held.plan.node_count else sorted(set(held.names) - set(ready))


def is_going(node: Object | None) -> bool:
    """Whether the node is gone or being deleted, which is permanent."""
    return node is None or "deletionTimestamp" in node["metadata"]


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
    progress.report(counts)
