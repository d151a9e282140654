"""Gives Workspaces GPUs of existing nodes. Never calls a cloud, never creates or deletes a Node.

gpu_accounting.py computes what is free, reserve.py reserves it; this file waits for it, until a deadline.
"""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio import activity

from activities.clients.view.cluster_view import ClusterView
from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.nodes import PoolBought, PoolKey, Released
from activities.contract.plan import Plan
from activities.deadline import deadline_after
from activities.heartbeat import Progress, heartbeating
from activities.nodes.byo import reserve
from activities.nodes.byo.gpu_accounting import pick, shortage, uses_of
from activities.nodes.byo.watch import View, follow
from activities.nodes.living_workspaces import lives_elsewhere
from api import labels

SETTLE_S: Final = 1.0
"""A patch whose sender was killed can arrive this much later; reservations count as gone if none is found twice."""
STALE_CHECK_EVERY: Final = timedelta(seconds=30)


class OwnNodes:
    """Nodes that are not managed by us, and that Workspaces share GPU by GPU."""

    def __init__(self, view: ClusterView) -> None:
        self._view = view
        self._cluster = view.cluster

    @signatures.implements(signatures.ENSURE_NODE_RESERVATIONS)
    async def ensure_node_pool(self, plan: Plan) -> PoolBought:
        """Returns when GPUs are reserved on `node_count` nodes. Raises NoMatchingNodes at the deadline, with what each
        node lacks."""
        deadline = deadline_after(timedelta(seconds=plan.deadlines.provision))
        view, checked = View({}, ()), datetime.min.replace(tzinfo=UTC)
        async with (
            heartbeating() as progress,
            aclosing(follow(self._view, selector_of(plan), until=deadline)) as views,
        ):
            async for view in views:
                progress.note_met()
                names = await reserve.reserve(self._cluster, plan, view)
                if names:
                    return _reserved(plan, names)
                _report(progress, plan, view)
                if datetime.now(UTC) - checked >= STALE_CHECK_EVERY:
                    checked = datetime.now(UTC)
                    await self._clear_stale(view)
        minutes = f"{plan.deadlines.provision / 60:.0f} min"
        raise failure("NoMatchingNodes", f"after {minutes}: {_shortage(plan, view)}", final=True)

    @signatures.implements(signatures.DELETE_NODE_RESERVATIONS)
    async def delete_node_pool(self, key: PoolKey) -> Released:
        """Returns when no node has a reservation of the Workspace, checked twice. The nodes stay. Raises
        OwnershipConflict if the reservations are a living Workspace's of another name."""
        async with heartbeating() as progress:
            if await lives_elsewhere(self._cluster, key.workspace):
                message = f"the uid {key.workspace.uid} is another Workspace's, which is alive: its reservations stay"
                raise failure("OwnershipConflict", message)
            existed = await reserve.release(self._cluster, key.workspace)
            progress.note_met()
            gone_at = datetime.now(UTC)
            await asyncio.sleep(SETTLE_S)
            if await reserve.holding(self._cluster, key.workspace):
                raise failure("CloudBusy", "a reservation of GPUs appeared while they were being released")
        return Released(pool_name=key.pool_name, gone_at=gone_at, existed=existed)

    async def read_held(self, key: PoolKey) -> PoolBought | None:
        """Returns the nodes where the Workspace has GPUs reserved."""
        nodes = await reserve.holding(self._cluster, key.workspace)
        if not nodes:
            return None
        return PoolBought(
            pool_name=key.pool_name, instance_type="", node_count=len(nodes), provisioning_state="Reserved"
        )

    async def _clear_stale(self, view: View) -> None:
        for uid in await reserve.clear_stale(self._cluster, view):
            activity.logger.info("cleared the reservation of a Workspace that is gone", extra={"uid": uid})


def selector_of(plan: Plan) -> str:
    """The user's matchLabels, without the keys that controllers set."""
    own = labels.without_reserved(plan.node_labels)
    return ",".join(f"{key}={value}" for key, value in sorted(own.items()))


def _reserved(plan: Plan, nodes: list[str]) -> PoolBought:
    return PoolBought(
        pool_name=plan.pool_name,
        instance_type=plan.instance_type,
        node_count=len(nodes),
        provisioning_state="Reserved",
    )


def _report(progress: Progress, plan: Plan, view: View) -> None:
    uses = uses_of(view.nodes, view.pods, plan.gpu_resource)
    free = pick(uses, plan.key.uid, gpus=plan.gpus_per_node, count=len(uses))
    progress.report({"matching": len(uses), "free": len(free), "wanted": plan.node_count})


def _shortage(plan: Plan, view: View) -> str:
    return shortage(
        uses_of(view.nodes, view.pods, plan.gpu_resource),
        plan.key.uid,
        gpus=plan.gpus_per_node,
        resource=plan.gpu_resource,
        count=plan.node_count,
        match_labels=labels.without_reserved(plan.node_labels),
    )
