"""What is known of a plan's nodes before they are bought: their taints, and labels that they will or will not have.

Labels: those the plan gives, and those AKS gives the nodes of a pool ("Reserved system labels", "Use labels in an AKS
cluster"). What an installation's cloud adds beyond is unknown, and then nothing is refused for it.
"""

from typing import Final

from activities.contract.plan import Plan
from activities.nodes.gpus.scheduling import ExpectedNode
from api import labels

_GPU_TAINT: Final = {"key": labels.GPU_TAINT_KEY, "value": labels.GPU_TAINT_VALUE, "effect": "NoSchedule"}
_SPOT: Final = "spot"
_SPOT_TAINT: Final = {"key": labels.SPOT_TAINT_KEY, "value": _SPOT, "effect": "NoSchedule"}


def expected_node(plan: Plan) -> ExpectedNode:
    """What each node of the plan will be like, for a provider that makes nodes."""
    spot = plan.spot and plan.provider == "aks"
    known: dict[str, str | None] = {
        labels.OS: "linux",
        "beta.kubernetes.io/os": "linux",
        labels.INSTANCE_TYPE: plan.instance_type,
        # Of AKS, and so of gpu-provisioner, which makes pools there.
        labels.ACCELERATOR: labels.ACCELERATOR_NVIDIA,
        "kubernetes.azure.com/accelerator": labels.ACCELERATOR_NVIDIA,
    }
    if plan.provider == "aks":
        known |= {
            "agentpool": plan.pool_name,
            labels.AGENT_POOL: plan.pool_name,
            "kubernetes.azure.com/mode": "user",
            labels.SPOT_TAINT_KEY: _SPOT if spot else None,
        }
    owned = labels.node_ownership(plan.key.namespace, plan.key.name, plan.key.uid)
    known |= labels.for_new_nodes(plan.node_labels) | owned
    return ExpectedNode((_GPU_TAINT, *((_SPOT_TAINT,) if spot else ())), known)
