"""Builds node pools and their cluster as ARM's JSON, with the defaults that AKS fills in."""

from typing import Any

from deploy.local.azure.identity import API_PROVIDER, Identity
from deploy.local.azure.records import Pool, Records
from presets.machines.skus import Sku

SPOT_LABEL = "kubernetes.azure.com/scalesetpriority"
SPOT_TAINT = f"{SPOT_LABEL}=spot:NoSchedule"
NODE_IMAGE = "AKSUbuntu-2204gen2containerd-202510.19.1"
# Read-only in the contract: ignored in requests.
READ_ONLY = ("eTag", "provisioningState", "currentOrchestratorVersion", "nodeImageVersion", "status", "powerState")


def completed(asked: dict[str, Any], sku: Sku, identity: Identity) -> dict[str, Any]:
    """Returns a new pool's properties: the request over AKS's defaults, the VM size in Azure's spelling."""
    defaults = {
        "count": 1,
        "osDiskSizeGB": 128,
        "osDiskType": "Managed",
        "kubeletDiskType": "OS",
        "maxPods": 110,
        "type": "VirtualMachineScaleSets",
        "enableAutoScaling": False,
        "scaleDownMode": "Delete",
        "orchestratorVersion": identity.kubernetes_version,
        "enableNodePublicIP": False,
        "mode": "User",
        "osType": "Linux",
        "osSKU": "Ubuntu",
        "enableFIPS": False,
        "upgradeSettings": {"maxSurge": "10%"},
    }
    properties = defaults | _given(asked) | {"vmSize": sku.name}
    return _as_spot(properties) if properties.get("scaleSetPriority") == "Spot" else properties


def updated(pool: Pool, asked: dict[str, Any]) -> dict[str, Any]:
    """Returns an existing pool's properties after a PUT: omitted properties stay unchanged."""
    properties = pool.properties | _given(asked) | {"vmSize": pool.vm_size}
    return _as_spot(properties) if pool.spot else properties


def pool_resource(pool: Pool, records: Records, identity: Identity) -> dict[str, Any]:
    return {
        "id": identity.pool_id(pool.name),
        "name": pool.name,
        "type": f"{API_PROVIDER}/managedClusters/agentPools",
        "properties": _pool_properties(pool, records, identity),
    }


def cluster_resource(records: Records, identity: Identity, power_state: str, provisioning_state: str) -> dict[str, Any]:
    profiles = [{"name": pool.name} | _pool_properties(pool, records, identity) for pool in records.pools.values()]
    return {
        "id": identity.cluster_id,
        "name": identity.cluster,
        "type": f"{API_PROVIDER}/ManagedClusters",
        "location": identity.location,
        "tags": {},
        "sku": {"name": "Base", "tier": "Standard"},
        "properties": {
            "provisioningState": provisioning_state,
            "powerState": {"code": power_state},
            "kubernetesVersion": identity.kubernetes_version,
            "currentKubernetesVersion": identity.kubernetes_version,
            "dnsPrefix": identity.cluster,
            "nodeResourceGroup": identity.node_group,
            "maxAgentPools": records.settings.pool_limit,
            "enableRBAC": True,
            "agentPoolProfiles": profiles,
        },
    }


def _pool_properties(pool: Pool, records: Records, identity: Identity) -> dict[str, Any]:
    """Pools follow the cluster's stop and start."""
    switching = records.provisioning_state in ("Stopping", "Starting") and pool.operation is None
    return pool.properties | {
        "eTag": pool.etag,
        "provisioningState": records.provisioning_state if switching else pool.provisioning_state,
        "powerState": {"code": records.power_state},
        "currentOrchestratorVersion": identity.kubernetes_version,
        "nodeImageVersion": NODE_IMAGE,
    }


def _given(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value is not None and name not in READ_ONLY}


def _as_spot(properties: dict[str, Any]) -> dict[str, Any]:
    taints = list(properties.get("nodeTaints") or [])
    return (
        {"scaleSetEvictionPolicy": "Delete", "spotMaxPrice": -1.0}
        | properties
        | {
            "nodeTaints": taints if SPOT_TAINT in taints else [*taints, SPOT_TAINT],
            "nodeLabels": dict(properties.get("nodeLabels") or {}) | {SPOT_LABEL: "spot"},
        }
    )
