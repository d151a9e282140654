"""Plans every option for a Workspace's nodes as a whole: nodes, layout and context follow from the machine.

The workflow decides which one is tried when; api/purchasing.py parses the annotations.
"""

import hashlib
from collections.abc import Callable
from typing import Any

from temporalio.exceptions import ApplicationError

from activities.clients.kubernetes import Object
from activities.contract.plan import Check, Option
from api import labels
from api.purchasing import PurchaseOption, purchase_options, spot_price

PlanOption = Callable[[Object], Option]
"""Plans a Workspace. Raises ApplicationError with the reason if that is impossible."""


def all_options(first: Option, found: Object, plan_option: PlanOption) -> list[Option]:
    """Returns every option in the user's order: `first` on the terms of the first one, then the others. The annotations
    have been validated."""
    if first.plan.provider == "byo":
        return [first]
    annotations = found["metadata"].get("annotations") or {}
    purchases = purchase_options(first.plan.instance_type, annotations)
    if first.plan.provider != "aks":  # what fulfils NodeClaims chooses zones and spot
        purchases = tuple(dict.fromkeys(PurchaseOption(purchase.instance_type) for purchase in purchases))
    machines = {first.plan.instance_type: first}
    for purchase in purchases:
        if purchase.instance_type not in machines:
            machines[purchase.instance_type] = _on_machine(purchase.instance_type, first, found, plan_option)
    return [_bought_as(machines[purchase.instance_type], purchase) for purchase in purchases]


def _on_machine(machine: str, first: Option, found: Object, plan_option: PlanOption) -> Option:
    """Returns the option on another machine; refused, with the reason, if the model cannot be served on it."""
    plan = first.plan
    try:
        other = plan_option(with_machine(found, machine))
    except ApplicationError as error:
        refusal = Check(name="Size", outcome="failed", reason=error.type or "", message=error.message)
        return first.model_copy(update={"plan": plan.model_copy(update={"instance_type": machine}), "refused": refusal})
    digest = hashlib.sha256(f"{plan.digest} {other.plan.instance_type}".encode()).hexdigest()[:16]
    digests = {"digest": digest, "training_digest": plan.training_digest}
    return other.model_copy(update={"plan": other.plan.model_copy(update=digests)})


def _bought_as(option: Option, purchase: PurchaseOption) -> Option:
    plan = option.plan
    changes: dict[str, Any] = {"zones": (purchase.zone,) if purchase.zone else ()}
    if purchase.spot:
        price = spot_price(plan.max_price_per_hour, plan.node_count)
        # Spot prices change from hour to hour: there is no list price.
        changes |= {"spot": True, "spot_max_price": price, "price_per_hour": None}
    return option.model_copy(update={"plan": plan.model_copy(update=changes)})


def with_machine(found: Object, machine: str) -> Object:
    """Returns the Workspace as if its author had requested this machine, and no other."""
    annotations = found["metadata"].get("annotations") or {}
    kept = {key: value for key, value in annotations.items() if key != labels.INSTANCE_TYPE_FALLBACKS}
    metadata = found["metadata"] | {"annotations": kept}
    return found | {"metadata": metadata, "resource": (found.get("resource") or {}) | {"instanceType": machine}}
