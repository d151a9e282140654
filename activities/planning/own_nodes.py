"""Waits until a node of the user's has the labels and the GPUs for which a Workspace can be sized.

Looks at the process' view of all nodes, so that a label wakes the wait. The plan is made anew afterwards
(`planner.py`), and GPUs are reserved by activities/nodes.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.clients.kubernetes import Object
from activities.clients.view.cluster_view import ClusterView
from activities.clients.view.watched import OWN_NODES
from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.nodes import NodesReady
from activities.contract.plan import PlanRequest
from activities.deadline import deadline_after, time_allowed
from activities.heartbeat import heartbeating
from activities.planning.byo_machine import machine_of, profile_of, selector_of
from activities.planning.planner import parsed
from activities.workspaces import read_existing

MARGIN: Final = timedelta(seconds=5)
"""So much earlier than its deadline the wait ends by itself, with what the nodes lack."""
ALL: Final = timedelta(days=7)


class OwnMachines:
    """The user's nodes, as a Workspace's labels select them."""

    def __init__(self, view: ClusterView) -> None:
        self._view = view

    @signatures.implements(signatures.WAIT_FOR_OWN_NODES)
    async def wait_for_own_nodes(self, request: PlanRequest) -> NodesReady:
        """Returns the nodes with the labels once a Workspace can be sized for them. Raises NoMatchingNodes at the
        deadline, with what the nodes lack; WorkspaceGone, InvalidSpec."""
        allowed = time_allowed(activity.info()) or ALL
        workspace = parsed(await read_existing(self._view.cluster, request))
        wanted, profile = workspace.match_labels, profile_of(workspace)
        selector = selector_of(wanted)
        lacking = f"no node was seen that matches {selector}"
        async with (
            heartbeating() as progress,
            self._view.observe(OWN_NODES, selector=selector, until=deadline_after(allowed - MARGIN)) as looks,
        ):
            async for sight in looks:
                progress.note_met()
                lacking = _lacking(list(sight.objects.values()), wanted, profile)
                if not lacking:
                    return NodesReady(names=sorted(sight.objects))
                progress.report({"waiting": lacking})
        raise failure("NoMatchingNodes", f"after {allowed.total_seconds() / 60:.0f} min: {lacking}", final=True)


def _lacking(nodes: list[Object], match_labels: Mapping[str, str], profile: str) -> str:
    """What keeps a Workspace from being sized for these nodes; empty if nothing does."""
    try:
        machine_of(nodes, match_labels, profile)
    except ApplicationError as error:
        return error.message
    return ""
