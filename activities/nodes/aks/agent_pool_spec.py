"""Builds the AKS agent pool for a plan, and compares an existing pool with it. Pure functions.

provider.py makes the calls. Tags and labels name the Workspace, so that a pool can always be traced to who pays for it.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final

from azure.mgmt.containerservice.models import AgentPool, GPUProfile, NvidiaGPUProfile
from azure.mgmt.containerservice.models import AgentPoolManagedClusterAgentPoolProfileProperties as Properties

from activities.contract.nodes import PoolBought
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Plan
from activities.nodes.aks.pool_options import AKS_DEFAULTS, PoolOptions
from api import labels
from api.policy.purchases import Purchase

_IMAGE_FAMILIES: Final = {"ubuntu": "Ubuntu", "azurelinux": "AzureLinux"}
_FOR_LIFE: Final = (
    *("os_disk_size_gb", "os_disk_type", "vnet_subnet_id", "pod_subnet_id"),
    *("capacity_reservation_group_id", "enable_encryption_at_host", "gpu_profile"),
)
"""Properties from the installation's options that ARM lets nobody change."""
_IN_PROGRESS: Final = {"creating", "updating", "scaling", "upgrading", "starting", "stopping", "migrating"}


class PoolState(Enum):
    """What to do about an existing pool."""

    READY = "as planned"
    BUSY = "an operation is running"
    DELETING = "is being deleted"
    TO_REPAIR = "failed, or not as planned: put it again"
    FOREIGN = "has another owner's tags"


def pool_of(plan: Plan, options: PoolOptions = AKS_DEFAULTS) -> AgentPool:
    """Returns the agent pool for a plan; a gang of `node_count` nodes, all or none."""
    key = plan.key
    return AgentPool(
        properties=Properties(
            count=plan.node_count,
            vm_size=plan.instance_type,
            os_disk_size_gb=max(plan.os_disk_gib, options.os_disk_gib or 0),
            os_disk_type=options.os_disk_type or None,
            vnet_subnet_id=options.subnet_id or None,
            pod_subnet_id=options.pod_subnet_id or None,
            # Azure takes no spot machines out of a reservation, and refuses a pool that asks for both.
            capacity_reservation_group_id=None if plan.spot else options.capacity_reservation_group_id or None,
            enable_encryption_at_host=options.encryption_at_host or None,
            gpu_profile=_gpu_profile(options),
            availability_zones=list(plan.zones) or None,
            scale_set_priority="Spot" if plan.spot else None,
            # A machine that is only stopped would still count against the quota.
            scale_set_eviction_policy="Delete" if plan.spot else None,
            spot_max_price=plan.spot_max_price if plan.spot else None,
            os_type="Linux",
            os_sku=_IMAGE_FAMILIES[plan.image_family],
            mode="User",
            type_properties_type="VirtualMachineScaleSets",
            node_labels=node_labels(plan),
            node_taints=[labels.GPU_TAINT],
            tags=options.tags | labels.pool_tags(key.namespace, key.name, key.uid),
        )
    )


def node_labels(plan: Plan) -> dict[str, str]:
    """The user's matchLabels, without reserved keys, and the owner's labels."""
    key = plan.key
    return labels.for_new_nodes(plan.node_labels) | labels.node_ownership(key.namespace, key.name, key.uid)


def repaired(pool: AgentPool, plan: Plan, options: PoolOptions) -> AgentPool:
    """Returns what is put again over an existing pool: as planned, with what the pool was bought with and must keep."""
    wanted = pool_of(plan, options)
    properties, found = properties_of(wanted), properties_of(pool)
    for name in _FOR_LIFE:
        setattr(properties, name, getattr(found, name))
    return wanted


def _gpu_profile(options: PoolOptions) -> GPUProfile | None:
    if not options.gpu_management:
        return None
    return GPUProfile(nvidia=NvidiaGPUProfile(management_mode=options.gpu_management))


def state_of(pool: AgentPool, plan: Plan) -> PoolState:
    """Compares the fields that can differ: owner, size, count, provisioning state. Azure varies the case of SKU
    names."""
    properties = properties_of(pool)
    if not owned_by(pool, plan.key):
        return PoolState.FOREIGN
    if is_deleting(pool):
        return PoolState.DELETING
    state = (properties.provisioning_state or "").lower()
    if state in _IN_PROGRESS:
        return PoolState.BUSY
    as_planned = (
        properties.vm_size or ""
    ).lower() == plan.instance_type.lower() and properties.count == plan.node_count
    return PoolState.READY if state == "succeeded" and as_planned else PoolState.TO_REPAIR


def owned_by(pool: AgentPool, key: WorkspaceKey) -> bool:
    """Whether the pool's tags name this Workspace: by uid, namespace and name, because whoever got a uid told knows
    nothing yet of whom it belongs to."""
    tags = properties_of(pool).tags or {}
    own = {labels.TAG_UID: key.uid, labels.TAG_NAMESPACE: key.namespace, labels.TAG_NAME: key.name}
    return all(tags.get(tag) == value for tag, value in own.items())


def owner_of(pool: AgentPool) -> WorkspaceKey | None:
    """The Workspace that the pool's tags name, or None if the pool is not ours."""
    tags = properties_of(pool).tags or {}
    found = [tags.get(tag) for tag in (labels.TAG_NAMESPACE, labels.TAG_NAME, labels.TAG_UID)]
    if not all(found) or tags.get(labels.TAG_MANAGED_BY) != labels.MANAGED_BY_VALUE:
        return None
    namespace, name, uid = map(str, found)
    return WorkspaceKey(namespace=namespace, name=name, uid=uid)


def purchase_of(pool: AgentPool, name: str, price: Callable[[str, float], float | None]) -> Purchase | None:
    """What a pool, or the request for one, is to the policy: by its own size, count and tags, whatever any plan says.
    None for a pool that is not ours. `price` is of a size, for one machine, and takes the pool's own maximum for spot,
    -1 where it has none."""
    owner, properties = owner_of(pool), properties_of(pool)
    if owner is None:
        return None
    spot, size = _is_spot(properties), properties.vm_size or ""
    most = properties.spot_max_price if spot and properties.spot_max_price is not None else -1.0
    state = (properties.provisioning_state or "").lower()
    return Purchase(
        namespace=owner.namespace,
        name=name,
        provider="aks",
        machine=size,
        nodes=properties.count or 0,
        node_dollars=price(size, most),
        spot=spot,
        under_way=state in _IN_PROGRESS,
        leaving=state == "deleting",
    )


def is_no_more_than(wanted: AgentPool, found: AgentPool) -> bool:
    """Whether a pool that is there is put again without buying anything: for the same Workspace, of the same size and
    kind, and no more machines."""
    new, old = properties_of(wanted), properties_of(found)
    same = (new.vm_size or "").lower() == (old.vm_size or "").lower() and _is_spot(new) == _is_spot(old)
    return same and owner_of(wanted) == owner_of(found) and (new.count or 0) <= (old.count or 0)


def _is_spot(properties: Properties) -> bool:
    return (properties.scale_set_priority or "").lower() == "spot"


def properties_of(pool: AgentPool) -> Properties:
    """The pool's properties; ARM always sends them, though the SDK's types make them optional."""
    return pool.properties or Properties()


def is_deleting(pool: AgentPool) -> bool:
    """Whether ARM is removing the pool."""
    return (properties_of(pool).provisioning_state or "").lower() == "deleting"


def bought(pool: AgentPool) -> PoolBought:
    """The pool as the workflow records it."""
    properties = properties_of(pool)
    return PoolBought(
        pool_name=pool.name or "",
        instance_type=properties.vm_size or "",
        node_count=properties.count or 0,
        provisioning_state=properties.provisioning_state or "",
    )


def bought_as_planned(plan: Plan) -> PoolBought:
    """The plan's pool after its operation has succeeded: ARM accepted it as planned, and one PUT fits no other."""
    return PoolBought(
        pool_name=plan.pool_name,
        instance_type=plan.instance_type,
        node_count=plan.node_count,
        provisioning_state="Succeeded",
    )
