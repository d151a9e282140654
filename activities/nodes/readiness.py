"""Waits for all nodes of a Workspace to be ready, or for all to be gone; `losses.py` watches those that work.

Ready means: the node's condition Ready, and as many GPUs allocatable as the machine has. Evaluating a node is pure; the
waits are conditions on the process' view of the cluster, so that a change is detected at once.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from activities.clients.kubernetes import Object
from activities.clients.view.cluster_view import ClusterView
from activities.clients.view.watched import NODES, OWN_NODES, Watched
from activities.clients.watch import Collection
from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.nodes import NodesReady
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Plan
from activities.deadline import deadline_after
from activities.heartbeat import Progress, heartbeating
from activities.nodes.gpus import on_node
from activities.nodes.gpus.offers import GpuOffering
from activities.nodes.placement import place, usable
from activities.nodes.provider import nodes_selector
from api import labels
from api.providers import Provider

_NEVER = datetime.min.replace(tzinfo=UTC)
GONE_DEADLINE = timedelta(minutes=10)
"""The cloud's node controller removes Node objects of deleted machines within a minute or so."""


class Nodes:
    """Nodes that were bought or reserved for a Workspace. `offering` is the installation's word on who offers GPUs."""

    def __init__(self, view: ClusterView, offering: GpuOffering | None = None) -> None:
        self._view, self._offering = view, offering or GpuOffering()

    @signatures.implements(signatures.WAIT_FOR_NODES)
    async def wait_for_nodes(self, plan: Plan) -> NodesReady:
        """Returns when all nodes are ready. Raises NodeNotJoined, NodeWithoutGpu or GpusNotOffered at the plan's
        deadline."""
        deadline = deadline_after(timedelta(seconds=plan.deadlines.nodes))
        nodes: Collection = {}
        selector = nodes_selector(plan.key.uid, plan.provider)
        async with (
            heartbeating() as progress,
            self._view.observe(watched_nodes(plan.provider), selector=selector, until=deadline) as looks,
        ):
            async for sight in looks:
                progress.note_met()
                await place(self._view.cluster, sight.objects.values(), plan.key.uid, plan.provider)
                nodes = usable(sight.objects, plan)
                _report(progress, nodes, plan)
                ready = ready_names(nodes, plan.gpus_per_node, plan.gpu_resource)
                if len(ready) >= plan.node_count and await sight.holds(ready):
                    return NodesReady(names=ready)
        raise await self._shortfall(nodes, plan)

    async def _shortfall(self, nodes: Collection, plan: Plan) -> Exception:
        """The failure, which for nodes without GPUs depends on what offers them."""
        without = without_gpus(nodes, plan)
        if not without or self._offering.without_plugin(plan.provider):
            return shortfall(nodes, plan)
        return shortfall(nodes, plan, *await on_node.reason_and_evidence(self._view.cluster, without))

    @signatures.implements(signatures.WAIT_FOR_NO_NODES)
    async def wait_for_no_nodes(self, key: WorkspaceKey) -> NodesReady:
        """Returns when no Node object carries the uid. Raises CleanupBlocked that names what is left."""
        nodes: Collection = {}
        until = datetime.now(UTC) + GONE_DEADLINE
        selector = f"{labels.WORKSPACE_UID}={key.uid}"
        async with heartbeating() as progress, self._view.observe(NODES, selector=selector, until=until) as looks:
            async for sight in looks:
                nodes = sight.objects
                progress.note_met()
                progress.report({"left": len(nodes)})
                if not nodes and await sight.nothing_left():
                    return NodesReady(names=[])
        left = ", ".join(sorted(nodes))
        raise failure("CleanupBlocked", f"what was bought is gone, but Node objects are left: {left}. Delete them")


def watched_nodes(provider: Provider) -> Watched:
    """Which nodes are watched for a provider: the user's own carry no label that all of them share."""
    return OWN_NODES if provider == "byo" else NODES


def is_ready(node: Object) -> bool:
    """Whether the kubelet reports Ready and the node is not being deleted."""
    conditions = node.get("status", {}).get("conditions") or []
    ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return ready and "deletionTimestamp" not in node["metadata"]


def gpus_of(node: Object, resource: str) -> int:
    """GPUs, or slices of this resource, that the node offers to pods."""
    return int((node.get("status", {}).get("allocatable") or {}).get(resource, 0))


def what_is_counted(resource: str, number: int = 0) -> str:
    """What so many of the resource are called: GPU, GPUs, or the name of the slices."""
    if resource != labels.GPU_RESOURCE:
        return resource
    return "GPU" if number == 1 else "GPUs"


def ready_names(nodes: Collection, gpus: int, resource: str) -> list[str]:
    """Names of the nodes that are ready with `gpus` GPUs, or slices of this resource, sorted."""
    return sorted(name for name, node in nodes.items() if is_ready(node) and gpus_of(node, resource) >= gpus)


def names_not_lost(nodes: Collection, grace: timedelta, now: datetime) -> list[str]:
    """Names of the nodes that are ready, or have not been for less than `grace`, sorted."""
    return sorted(name for name, node in nodes.items() if is_ready(node) or _unready_since(node) > now - grace)


def _unready_since(node: Object) -> datetime:
    """When the node's condition Ready changed last; the beginning of time for one that goes or never reported."""
    for condition in node.get("status", {}).get("conditions") or []:
        if condition["type"] == "Ready" and "deletionTimestamp" not in node["metadata"]:
            changed = condition.get("lastTransitionTime")
            return datetime.fromisoformat(changed) if changed else _NEVER
    return _NEVER


def without_gpus(nodes: Collection, plan: Plan) -> list[str]:
    """Names of nodes that joined and lack the plan's GPUs, where all joined; otherwise that is what is wrong."""
    joined = [name for name, node in nodes.items() if is_ready(node)]
    if len(joined) < plan.node_count:
        return []
    return sorted(name for name in joined if gpus_of(nodes[name], plan.gpu_resource) < plan.gpus_per_node)


def shortfall(nodes: Collection, plan: Plan, reason: str = on_node.OF_NODE, evidence: str = "") -> Exception:
    """Why the nodes are not ready at the deadline, with numbers; reason and evidence of those without GPUs."""
    minutes = f"{plan.deadlines.nodes / 60:.0f} min"
    joined = [name for name, node in nodes.items() if is_ready(node)]
    if len(joined) < plan.node_count:
        message = (
            f"{len(joined)} of {plan.node_count} nodes of pool {plan.pool_name} joined the cluster within {minutes}"
        )
        return failure("NodeNotJoined", message, final=True)
    offered = {name: gpus_of(nodes[name], plan.gpu_resource) for name in sorted(joined)}
    counted = what_is_counted(plan.gpu_resource)
    message = f"after {minutes} the nodes offer {offered} {counted}, {plan.gpus_per_node} each were expected"
    return failure(reason, f"{message}: {evidence}" if evidence else message, final=True)


def _report(progress: Progress, nodes: Collection, plan: Plan) -> None:
    counts: dict[str, Any] = {
        "joined": sum(map(is_ready, nodes.values())),
        "withGpu": len(ready_names(nodes, plan.gpus_per_node, plan.gpu_resource)),
        "wanted": plan.node_count,
    }
    progress.report(counts)
