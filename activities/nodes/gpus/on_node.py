"""Whose fault it is that a node that has joined offers no GPU: the cluster's, whose device plugin never ran there, or
the node's own, where the plugin runs and finds none (a driver is missing or broken).

Another node of the same kind helps against the second only, so the two have different reasons.
"""

from collections.abc import Iterable
from typing import Any, Final

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from activities.nodes.gpus.offers import REASON, REMEDY
from activities.nodes.gpus.plugins import kept_plugin
from api import labels

FORBIDDEN: Final = 403
OF_NODE: Final = "NodeWithoutGpu"
_NAMED: Final = 3


async def reason_and_evidence(cluster: Cluster, nodes: Iterable[str]) -> tuple[str, str]:
    """Returns the reason for these nodes without GPUs, and what was seen of the plugin's pods; without the right to
    look, as if the node were to blame. Raises ApiException."""
    try:
        plugins, _ = await cluster.list_all("DaemonSet", keep=kept_plugin)
    except ApiException as error:
        if error.status != FORBIDDEN:
            raise
        return OF_NODE, ""
    names = list(nodes)
    pods = [pod for node in names[:_NAMED] for pod in await _plugin_pods(cluster, node, plugins)]
    return judged(names, pods)


def judged(nodes: list[str], pods: list[Object]) -> tuple[str, str]:
    """The same from the plugin's pods on those nodes."""
    ran = [pod for pod in pods if has_run(pod)]
    if ran:
        return OF_NODE, f"the device plugin runs there ({_shown(ran)}) and finds fewer: look at its log, and the driver"
    where = ", ".join(nodes[:_NAMED])
    seen = f"its pods there have not started ({_shown(pods)})" if pods else "there is no pod of one there"
    return REASON, f"no device plugin runs on {where}: {seen}. {REMEDY.format(taints=labels.GPU_TAINT)}"


def has_run(pod: Object) -> bool:
    """Whether a container of the pod, init containers aside, runs or has run."""
    return any(_ran(one) for one in (pod.get("status") or {}).get("containerStatuses") or ())


def _ran(status: dict[str, Any]) -> bool:
    states = [status.get("state") or {}, status.get("lastState") or {}]
    return bool(status.get("restartCount")) or any("running" in one or "terminated" in one for one in states)


async def _plugin_pods(cluster: Cluster, node: str, plugins: Iterable[Object]) -> list[Object]:
    uids = {plugin["metadata"]["uid"] for plugin in plugins}
    pods, _ = await cluster.list_all("Pod", fields=f"spec.nodeName={node}")
    return [pod for pod in pods if any(owner["uid"] in uids for owner in pod["metadata"].get("ownerReferences") or ())]


def _shown(pods: Iterable[Object]) -> str:
    return ", ".join(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}" for pod in pods)
