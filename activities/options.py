"""The other ways to get a Workspace's nodes, each as a whole plan: nodes, layout and context follow from the machine.

Which one is tried when is the workflow's to decide; what the annotations say is api/purchasing.py's.
"""

import hashlib
from collections.abc import Callable
from typing import Any

from temporalio.exceptions import ApplicationError

from activities.contracts import Check, Plan
from activities.kubernetes_api import Object
from api import labels
from api.purchasing import PurchaseOption, purchase_options, spot_price

PlanOf = Callable[[Object], Plan]
"""Plans a Workspace. Raises ApplicationError with the reason why that cannot be done."""


def with_alternatives(plan: Plan, found: Object, plan_of: PlanOf) -> Plan:
    """The plan as its first option wants it, with the plans of all others. The annotations were judged before."""
    if plan.provider == "byo":
        return plan
    annotations = found["metadata"].get("annotations") or {}
    options = purchase_options(plan.instance_type, annotations)
    if plan.provider != "aks":  # zones and spot are for whoever fulfils NodeClaims to choose
        options = tuple(dict.fromkeys(PurchaseOption(option.instance_type) for option in options))
    machines = {plan.instance_type: plan}
    for option in options:
        if option.instance_type not in machines:
            machines[option.instance_type] = _on_machine(option.instance_type, plan, found, plan_of)
    first, *others = (_bought_as(machines[option.instance_type], option) for option in options)
    return first.model_copy(update={"alternatives": tuple(others)})


def _on_machine(machine: str, plan: Plan, found: Object, plan_of: PlanOf) -> Plan:
    """The plan for another machine; a machine on which the model cannot be served is refused, with the reason."""
    try:
        other = plan_of(with_machine(found, machine))
    except ApplicationError as error:
        no = Check(name="Size", outcome="failed", reason=error.type or "", message=error.message)
        return plan.model_copy(update={"instance_type": machine, "refused": no})
    digest = hashlib.sha256(f"{plan.digest} {other.instance_type}".encode()).hexdigest()[:16]
    return other.model_copy(update={"digest": digest})


def _bought_as(plan: Plan, option: PurchaseOption) -> Plan:
    changes: dict[str, Any] = {"zones": (option.zone,) if option.zone else ()}
    if option.spot:
        price = spot_price(plan.max_price_per_hour, plan.node_count)
        # What spot machines cost changes from hour to hour: there is no list price to reckon with.
        changes |= {"spot": True, "spot_max_price": price, "price_per_hour": None}
    return plan.model_copy(update=changes)


def with_machine(found: Object, machine: str) -> Object:
    """The Workspace as if its author had asked for this machine, and for no other."""
    annotations = found["metadata"].get("annotations") or {}
    kept = {key: value for key, value in annotations.items() if key != labels.INSTANCE_TYPE_FALLBACKS}
    metadata = found["metadata"] | {"annotations": kept}
    return found | {"metadata": metadata, "resource": (found.get("resource") or {}) | {"instanceType": machine}}
