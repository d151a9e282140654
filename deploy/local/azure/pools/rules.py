"""Validates a node pool request as AKS does: names, counts, labels, taints, changes, and concurrent operations.

Pure: decides from the request and the records, and refuses with an ArmError in AKS's wording.
"""

import re
from typing import Any

from deploy.local.azure import errors
from deploy.local.azure.offers import ZONES
from deploy.local.azure.records import Operation, Pool, Records
from presets.machines.skus import Sku, UnknownSku, find_sku, sku_table

POOL_NAME = re.compile(r"^[a-z][a-z0-9]{0,11}$")
LABEL_KEY = re.compile(r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$")
LABEL_VALUE = re.compile(r"^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$")
TAINT = re.compile(r"^(?P<key>[^=:]+)(=(?P<value>[^=:]*))?:(NoSchedule|PreferNoSchedule|NoExecute)$")
RESERVED_LABEL_PREFIX = "kubernetes.azure.com/"
MAX_COUNT, MAX_TAGS = 1000, 50
SETTLED = ("Succeeded", "Failed", "Canceled")
OS_DISK_GB = range(30, 2049)
# Properties that are immutable.
IMMUTABLE = (
    "vmSize", "osDiskSizeGB", "osDiskType", "osType", "type", "availabilityZones",
    "scaleSetPriority", "scaleSetEvictionPolicy", "spotMaxPrice",
    "vnetSubnetID", "podSubnetID", "capacityReservationGroupID", "enableEncryptionAtHost", "gpuProfile",
)  # fmt: skip


def check_name(name: str) -> None:
    if not POOL_NAME.match(name):
        raise errors.invalid_parameter(
            "agentPoolProfile.name",
            f"the agent pool name {name!r} must match {POOL_NAME.pattern}: a lower-case letter, at most "
            "12 lower-case letters and digits. Please see https://aka.ms/aks-naming-rules for more details",
        )


def check_properties(properties: dict[str, Any]) -> None:
    """Refuses what AKS rejects for any pool, new or existing. Raises ArmError."""
    count = properties.get("count", 1)
    if not isinstance(count, int) or not 0 <= count <= MAX_COUNT:
        raise errors.invalid_parameter("agentPoolProfile.count", f"{count!r} is not between 0 and {MAX_COUNT}")
    if properties.get("mode") == "System" and count < 1:
        raise errors.invalid_parameter("agentPoolProfile.count", "a System pool needs at least 1 node")
    disk = properties.get("osDiskSizeGB") or 0
    if disk and disk not in OS_DISK_GB:
        raise errors.invalid_parameter("agentPoolProfile.osDiskSizeGB", f"{disk} is not between 30 and 2048")
    zones = properties.get("availabilityZones") or []
    if unknown := [zone for zone in zones if zone not in ZONES]:
        raise errors.bad_request(
            f"The zone(s) {', '.join(map(repr, unknown))} is not supported. Supported zones: {', '.join(ZONES)}.",
            code="AvailabilityZoneNotSupported",
        )
    if len(properties.get("tags") or {}) > MAX_TAGS:
        raise errors.invalid_parameter("agentPoolProfile.tags", f"more than {MAX_TAGS} tags")
    _check_labels(properties.get("nodeLabels") or {})
    _check_taints(properties.get("nodeTaints") or [])


def sold_size(properties: dict[str, Any], region: str) -> Sku:
    """Returns the requested VM size. Raises ArmError if none is named or Azure does not have it."""
    size = properties.get("vmSize")
    if not size:
        raise errors.invalid_parameter("agentPoolProfile.vmSize", "the VM size is required")
    try:
        return find_sku(str(size))
    except UnknownSku as unknown:
        raise size_not_allowed(str(size), region) from unknown


def size_not_allowed(size: str, region: str) -> errors.ArmError:
    available = ",".join(sku.name.lower() for sku in sku_table().skus if not sku.retired)
    return errors.bad_request(
        f"The VM size of {size} is not allowed in your subscription in location '{region}'. The available VM sizes are "
        f"'{available}'. For more details, please visit https://aka.ms/aks/quotas-skus-regions"
    )


def check_unchanged(pool: Pool, properties: dict[str, Any]) -> None:
    """Refuses a change of immutable properties; omitted properties stay unchanged. Raises ArmError."""
    for name in IMMUTABLE:
        wanted = properties.get(name)
        if wanted is not None and _comparable(wanted) != _comparable(pool.properties.get(name)):
            raise errors.change_not_allowed(f"properties.{name}")


def check_room(records: Records) -> None:
    limit = records.settings.pool_limit
    if len(records.pools) >= limit:
        message = f"The number of agent pools in the managed cluster has reached the limit of {limit}."
        raise errors.bad_request(message, code="MaxAgentPoolCountReached")


def check_etag(pool: Pool | None, if_match: str | None, if_none_match: str | None, name: str) -> None:
    """Checks If-Match (the pool's etag, or *) and If-None-Match (*: no pool may exist). Raises ArmError (412)."""
    if if_none_match == "*" and pool is not None:
        raise errors.resource_exists(name)
    if if_match is None:
        return
    if pool is None:
        raise errors.etag_without_resource()
    if if_match != "*" and if_match.strip('"') != pool.etag:
        raise errors.etag_mismatch(if_match, pool.etag)


def check_idle(records: Records, name: str, *, deleting: bool = False) -> None:
    """Refuses while an operation runs on the pool, or on any pool if the settings say so. Raises ArmError (409)."""
    for operation in records.running():
        if operation.pool == name and not (deleting and _may_preempt(records, operation)):
            raise errors.busy(operation.kind, name)
        if operation.pool != name and records.settings.serialise_pools:
            raise errors.busy(operation.kind, operation.pool)


def check_cluster(power_state: str, provisioning_state: str, cluster: str) -> None:
    """Refuses writes while the cluster is stopped or an operation runs on the cluster itself. Raises ArmError (409)."""
    if power_state == "Stopped":
        raise errors.operation_not_allowed(
            f"Operation is not allowed: managed cluster {cluster} is in Stopped power state, please start it "
            "before this operation. See https://aka.ms/aks/stop-start for more details"
        )
    if provisioning_state not in SETTLED:
        raise errors.operation_not_allowed(
            f"Operation is not allowed: Another operation ({provisioning_state}) is in progress, please wait for it to "
            f"finish before starting a new operation. See {errors.PENDING_OPERATION_LINK} for more details"
        )


def check_stop(records: Records) -> None:
    """Refuses `az aks stop` for a cluster that does not run, or is at work. Raises ArmError (409)."""
    if records.power_state == "Stopped":
        raise errors.cannot_stop()
    if records.provisioning_state not in SETTLED:
        raise errors.wrong_state(records.provisioning_state, records.power_state, "stopping")
    for operation in records.running():
        raise errors.pool_busy(operation.kind, operation.pool)


def check_start(records: Records) -> None:
    """Refuses `az aks start` for a cluster that is not stopped. Raises ArmError (409)."""
    if records.power_state != "Stopped":
        raise errors.wrong_state(records.provisioning_state, records.power_state, "starting")


def _may_preempt(records: Records, operation: Operation) -> bool:
    return records.settings.delete_preempts_create and operation.kind == "create"


def _check_labels(labels: dict[str, str]) -> None:
    for key, value in labels.items():
        if key.startswith(RESERVED_LABEL_PREFIX):
            raise errors.invalid_parameter("agentPoolProfile.nodeLabels", f"the label prefix of {key!r} is reserved")
        if not LABEL_KEY.match(key) or not LABEL_VALUE.match(str(value)):
            raise errors.invalid_parameter("agentPoolProfile.nodeLabels", f"{key}={value} is not a Kubernetes label")


def _check_taints(taints: list[str]) -> None:
    for taint in taints:
        parts = TAINT.match(taint)
        if parts is None or not LABEL_KEY.match(parts["key"]) or not LABEL_VALUE.match(parts["value"] or ""):
            raise errors.invalid_parameter("agentPoolProfile.nodeTaints", f"{taint!r} is not key=value:effect")


def _comparable(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value
