"""Decides whether a cluster will offer GPUs on the nodes of a plan, and says what is missing and what mends it. Pure.

What is there is read by `activities/preflight/gpus.py`; `on_node.py` asks the same of a node that has joined.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from activities.clients.kubernetes import Object
from activities.contract.plan import Check, Plan
from activities.nodes.gpus.expected_nodes import expected_node
from activities.nodes.gpus.plugins import pod_of, policy_pod
from activities.nodes.gpus.scheduling import obstacle, text_of
from api.preflight import CheckName
from api.providers import Provider

REASON: Final = "GpusNotOffered"
OfferedBy = Literal["plugin", "other"]
"""Who makes nodes offer GPUs: a device plugin as a DaemonSet, or something that cannot be seen from the API server."""
REMEDY: Final = (
    "Set devicePlugin.enabled of Modelyard's chart, or install NVIDIA's device plugin or GPU operator with tolerations "
    "of {taints} (docs/install.md). Where nodes offer GPUs in another way, set settings.gpusOfferedBy to other"
)
_LISTED: Final = 3


@dataclass(frozen=True)
class GpuOffering:
    """An installation's word: `by` for all nodes that are made; `managed`: AKS brings the plugin to pools that are
    bought (`azure.pools.gpuManagement: Managed`), as a service of the node, not as a DaemonSet."""

    by: OfferedBy = "plugin"
    managed: bool = False

    def without_plugin(self, provider: Provider) -> str:
        """Why no DaemonSet has to be looked for, "" if one has to."""
        if provider == "byo":
            return "own nodes show what they offer"
        if self.by == "other":
            return "settings.gpusOfferedBy is other"
        if self.managed and provider == "aks":
            return "AKS installs the device plugin (azure.pools.gpuManagement is Managed)"
        return ""


def verdict(plan: Plan, plugins: Iterable[Object], policies: Iterable[Object]) -> Check:
    """Evaluates DaemonSets that are device plugins, and ClusterPolicies of the GPU operator, for the plan's nodes. What
    is missing can be brought while the Workspace waits, so it is `unknown`, with the reason that it is waited by."""
    node = expected_node(plan)
    candidates = [(f"DaemonSet {_name(plugin)}", pod_of(plugin)) for plugin in plugins]
    candidates += [(f"ClusterPolicy {_name(policy)}", pod) for policy in policies if (pod := policy_pod(policy))]
    obstacles = {}
    for name, pod in candidates:
        if not (against := obstacle(pod, node)):
            return Check(name=CheckName.GPUS_OFFERED, outcome="passed", message=f"by {name}")
        obstacles[name] = against
    message = f"{_lacking(obstacles)}. {REMEDY.format(taints=' and '.join(map(text_of, node.taints)))}"
    return Check(name=CheckName.GPUS_OFFERED, outcome="unknown", reason=REASON, message=message)


def _lacking(obstacles: Mapping[str, str]) -> str:
    if not obstacles:
        return "no device plugin of this cluster would offer GPUs on the nodes: there is none"
    listed = [f"{name} {against}" for name, against in sorted(obstacles.items())]
    more = f", and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    return f"no device plugin of this cluster would offer GPUs on the nodes: {', '.join(listed[:_LISTED])}{more}"


def _name(item: Object) -> str:
    metadata = item["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))
