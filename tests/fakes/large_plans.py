"""The largest plans that a Workspace can have: as many ways to get its nodes as are allowed, by the real planner."""

from typing import Any, Final

from activities.clients.kubernetes import Object
from activities.contract.plan import Deadlines, Option
from activities.planning.fallbacks import all_options
from activities.planning.options import plan_option
from api import labels
from presets.machines.skus import sku_table
from presets.plan.context import PlanContext

UID: Final = "0b6f3c1e-5c1f-4c8e-9a55-6f0d3f8d1a11"
PRESET: Final = "mistralai/Ministral-3-8B-Instruct-2512"
"""Of the presets that need no token, the one with the largest report over all machines."""
SERVING: Final = "Standard_NC24ads_A100_v4"
"""A machine on which it is served."""


def machines(most: int) -> list[str]:
    """GPU sizes of the table: first those on which the preset is served, for these have a report of their own."""
    names = [sku.name for sku in sku_table().skus if sku.gpus]
    return sorted(names, key=lambda name: options_of([SERVING, name])[-1].refused is not None)[:most]


def options_of(instance_types: list[str], *, name: str = "w", **annotations: str) -> list[Option]:
    """Every option of a Workspace that asks for these machines, with further annotations of ours."""
    keys = {f"modelyard.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    if instance_types[1:]:
        keys[labels.INSTANCE_TYPE_FALLBACKS] = ",".join(instance_types[1:])
    document = _document(instance_types[0], name, keys)
    first = _planned(document)
    first = first.model_copy(update={"plan": first.plan.model_copy(update={"digest": "0123456789abcdef"})})
    return all_options(first, document, _planned)


def _planned(document: Object) -> Option:
    return plan_option(document, PlanContext(region="eastus", config_maps={}), Deadlines())


def _document(machine: str, name: str, annotations: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": labels.V1BETA1,
        "kind": labels.KIND,
        "metadata": {"name": name, "namespace": "default", "uid": UID, "generation": 1, "annotations": annotations},
        "resource": {"instanceType": machine, "labelSelector": {"matchLabels": {"apps": name}}},
        "inference": {"preset": {"name": PRESET}},
    }
