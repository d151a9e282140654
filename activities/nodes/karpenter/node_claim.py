"""Builds the NodeClaim for a plan, and reads existing claims. Pure functions.

The shape is the one that gpu-provisioner fulfils (one claim, one machine) and that Karpenter accepts as well. Names
follow from the Workspace's uid and the node's index, so that a repeated create finds the first one's claim.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from activities.clients.kubernetes import Object
from activities.contract.nodes import PoolBought, PoolKey
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Plan
from api import labels, names
from api.policy.purchases import Purchase

NODES_MAX: Final = 100
"""Two digits of the name; also AKS' limit of node pools, of which gpu-provisioner makes one per claim."""
_STAGES: Final = ("Launched", "Registered", "Initialized")
DRAIN_DEADLINE: Final = "10m"
"""Karpenter's terminationGracePeriod: without it another owner's disruption budget keeps a GPU node for ever."""


@dataclass(frozen=True)
class NodeClass:
    """What fulfils the claims: gpu-provisioner by default, or a node class of Karpenter's."""

    group: str = "kaito.sh"
    kind: str = "KaitoNodeClass"
    name: str = "default"


def claim_name(uid: str, index: int) -> str:
    """`ws`, 8 base32 characters of the uid, 2 digits: gpu-provisioner makes it the pool's name (12 characters)."""
    if not 0 <= index < NODES_MAX:
        raise ValueError(f"a Workspace can have {NODES_MAX} NodeClaims, and the index is {index}")
    return f"{names.pool_name(uid)[:10]}{index:02d}"


def node_claim(plan: Plan, name: str, node_class: NodeClass) -> Object:
    """Returns the claim for one node of the plan; the user's annotation names another node class of the same kind."""
    key = plan.key
    own = labels.node_ownership(key.namespace, key.name, key.uid) | {labels.NODE_POOL: labels.NODE_POOL_VALUE}
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodeClaim",
        "metadata": {
            "name": name,
            "labels": labels.for_new_nodes(plan.node_labels) | own,
            "annotations": {labels.DO_NOT_DISRUPT: "true", labels.NODE_IMAGE_FAMILY: plan.image_family},
        },
        "spec": {
            "nodeClassRef": {
                "group": node_class.group,
                "kind": node_class.kind,
                "name": plan.node_class or node_class.name,
            },
            "requirements": _requirements(plan),
            "taints": [{"key": labels.GPU_TAINT_KEY, "value": labels.GPU_TAINT_VALUE, "effect": "NoSchedule"}],
            "resources": {"requests": {"storage": f"{plan.os_disk_gib}Gi"}},
            # The CRD's default would delete a serving node after 30 days.
            "expireAfter": "Never",
            "terminationGracePeriod": DRAIN_DEADLINE,
        },
    }


def _requirements(plan: Plan) -> list[Object]:
    wanted = {
        labels.NODE_POOL: labels.NODE_POOL_VALUE,
        labels.INSTANCE_TYPE: plan.instance_type,
        labels.OS: "linux",
        labels.AZURE_SKU_NAME: plan.instance_type,
    }
    return [{"key": key, "operator": "In", "values": [value]} for key, value in wanted.items()]


def selector_of(key: WorkspaceKey) -> str:
    """Selects our claims and those of a previous controller; `belongs_to` excludes those of another uid."""
    return f"{labels.WORKSPACE}={key.name},{labels.WORKSPACE_NAMESPACE}={key.namespace}"


def belongs_to(claim: Object, key: WorkspaceKey) -> bool:
    """Whether a claim is this Workspace's: by our uid, or made by a previous controller, which set none."""
    found = claim["metadata"].get("labels") or {}
    same_name = found.get(labels.WORKSPACE) == key.name and found.get(labels.WORKSPACE_NAMESPACE) == key.namespace
    return same_name and found.get(labels.WORKSPACE_UID) in (None, key.uid)


def node_belongs_to(node: Object, key: WorkspaceKey) -> bool:
    """Like `belongs_to`, for a Node. One that its owner labelled by hand is not ours: no claim created it."""
    found = node["metadata"].get("labels") or {}
    return belongs_to(node, key) and (labels.WORKSPACE_UID in found or labels.NODE_POOL in found)


def is_adopted(claim: Object) -> bool:
    """Whether a claim carries the uid of a Workspace."""
    return labels.WORKSPACE_UID in (claim["metadata"].get("labels") or {})


def is_deleting(claim: Object) -> bool:
    """Whether the claim has a deletionTimestamp."""
    return "deletionTimestamp" in claim["metadata"]


def instance_type_of(claim: Object) -> str:
    """The machine type that the claim requests; gpu-provisioner takes the first value."""
    for requirement in claim.get("spec", {}).get("requirements") or []:
        if requirement["key"] == labels.INSTANCE_TYPE and requirement.get("values"):
            return str(requirement["values"][0])
    return ""


def purchases_of(claims: Iterable[Object], price: Callable[[str], float | None]) -> list[Purchase]:
    """What claims are to the policy: one purchase for each, by its own machine type and labels, with its Workspace's
    uid as name."""
    found = []
    for claim in claims:
        own, machine = claim["metadata"].get("labels") or {}, instance_type_of(claim)
        purchase = Purchase(
            namespace=own.get(labels.WORKSPACE_NAMESPACE, ""),
            name=own.get(labels.WORKSPACE_UID, ""),
            provider="karpenter",
            machine=machine,
            nodes=1,
            node_dollars=price(machine),
            under_way=not is_ready(claim),
            leaving=is_deleting(claim),
        )
        found.append(purchase)
    return found


def condition(claim: Object, type_: str) -> Mapping[str, Any]:
    """The condition of that type, {} if it was never set."""
    conditions = (claim.get("status") or {}).get("conditions") or []
    return next((found for found in conditions if found["type"] == type_), {})


def stages_passed(claim: Object) -> int:
    """0 to 3: launched, registered as a Node, initialized."""
    passed = 0
    for stage in _STAGES:
        if condition(claim, stage).get("status") != "True":
            break
        passed += 1
    return passed


def is_ready(claim: Object) -> bool:
    """Every stage is passed and the Node is known."""
    return stages_passed(claim) == len(_STAGES) and bool(node_of(claim)) and not is_deleting(claim)


def node_of(claim: Object) -> str:
    """Name of the claim's Node, "" before it registered."""
    return str((claim.get("status") or {}).get("nodeName") or "")


def state_of(claim: Object) -> str:
    """Describes one claim: `ws... is registered, but not Initialized (NodeNotReady: ...)`."""
    name, passed = claim["metadata"]["name"], stages_passed(claim)
    if is_deleting(claim):
        return f"{name} is being deleted"
    if passed == len(_STAGES):
        return f"{name} is ready"
    found = condition(claim, _STAGES[passed])
    detail = ": ".join(part for part in (found.get("reason"), found.get("message")) if part)
    return f"{name} is not {_STAGES[passed]}" + (f" ({detail[:256]})" if detail else "")


def bought(plan_or_key: Plan | PoolKey, claims: list[Object]) -> PoolBought:
    """The claims as the workflow records a pool; billed since the first was created."""
    ready = sum(map(is_ready, claims))
    created = [datetime.fromisoformat(claim["metadata"]["creationTimestamp"]) for claim in claims]
    return PoolBought(
        pool_name=plan_or_key.pool_name,
        instance_type=instance_type_of(claims[0]) if claims else "",
        node_count=len(claims),
        provisioning_state="Succeeded" if ready == len(claims) else "Creating",
        accepted_at=min(created, default=datetime.now(UTC)),
    )
