"""The disruption budget of a Workspace: a node drain evicts one of its replicas at a time.

Only for several replicas. With one replica a budget could only block the drain of its node. Nor may a budget block a
GPU node that is being released: `aks/provider.py` and `karpenter/node_claim.py` configure AKS and Karpenter for that.
"""

from typing import Final

from activities.clients.kubernetes import Object
from api import names

BUDGET: Final = "PodDisruptionBudget"
VERSION: Final = "v1"


def budget(deployment: Object, workspace: str) -> Object:
    """Allows one pod of the Deployment to be missing; owned and labelled as the Deployment is."""
    return {
        "apiVersion": f"policy/{VERSION}",
        "kind": BUDGET,
        "metadata": deployment["metadata"] | {"name": names.disruption_budget(workspace)},
        "spec": {"maxUnavailable": 1, "selector": deployment["spec"]["selector"]},
    }
