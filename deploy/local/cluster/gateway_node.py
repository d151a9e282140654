"""The Node object of the gateway, the network namespace through which this machine reaches the cluster's Services.

Only its kube-proxy, which `control_plane.py` starts, needs one.
"""

from typing import Any

from deploy.local.cluster import owner_client
from deploy.local.layout import Layout
from deploy.local.network.bridge import GATEWAY, gateway_address

# From this minor version on kube-proxy waits half a minute for the Node object of its name, and is unhealthy
# without one (pkg/proxy/node.go).
PROXY_WANTS_NODE_FROM = 34


def ensure_gateway(layout: Layout, minor: int) -> None:
    """Creates a Node object for the gateway's kube-proxy, if this version needs one. Raises ClusterApiError.

    It has no kubelet, so it is never Ready and nothing is scheduled there. It must stay: kube-proxy exits when its
    Node is deleted.
    """
    if minor < PROXY_WANTS_NODE_FROM:
        return
    node = gateway_node(layout)
    path = f"/api/v1/nodes/{GATEWAY}"
    for part in (path, f"{path}/status"):
        owner_client.apply(layout, part, node)


def gateway_node(layout: Layout) -> dict[str, Any]:
    """Returns the Node as it is applied, status included."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        # Part of the cluster's own pool, like `stack/graph.py`'s SYSTEM_NODE: it was not bought for a Workspace.
        "metadata": {"name": GATEWAY, "labels": {"kubernetes.azure.com/mode": "system"}},
        "spec": {"unschedulable": True, "taints": [{"key": "modelyard.dev/gateway", "effect": "NoExecute"}]},
        "status": {"addresses": [{"type": "InternalIP", "address": str(gateway_address(layout))}]},
    }
