"""Suggests machines when the requested one does not fit: those of which one node is enough, cheapest first."""

from dataclasses import dataclass
from typing import Final

from presets.machines.machine import Machine
from presets.machines.skus import sku_table
from presets.models.catalog import Model
from presets.serving.fit import DoesNotFit, fit
from presets.serving.overrides import VllmOverrides
from presets.serving.support import override_problems, refusals

SHOWN: Final = 3


@dataclass(frozen=True)
class Alternative:
    """A machine that can serve the model alone; the price is US dollars per hour, None where it is not known."""

    instance_type: str
    context: int
    price_per_hour: float | None

    def __str__(self) -> str:
        price = "price not known" if self.price_per_hour is None else f"${self.price_per_hour:.2f}/h"
        return f"{self.instance_type} ({price}, {self.context} tokens)"


def machines_that_fit(model: Model, region: str, overrides: VllmOverrides | None = None) -> list[Alternative]:
    """At most three, cheapest first; machines without a known price come last. Left out are retired sizes
    and those for which the runtime image is not built as it comes."""
    limits = overrides or VllmOverrides()
    found = []
    for sku in sku_table().skus:
        if not sku.gpus or sku.retired or sku.architecture != "amd64":
            continue
        machine = Machine.of(sku)
        if refusals(model, machine) or override_problems(model, machine, limits):
            continue
        try:
            context = fit(model, machine, limits, most_nodes=1).context
        except DoesNotFit:
            continue
        found.append((sku.total_gpu_memory_gib, Alternative(sku.name, context, sku.price(region))))
    found.sort(key=lambda entry: (entry[1].price_per_hour is None, entry[1].price_per_hour or 0.0, entry[0]))
    return [alternative for _, alternative in found[:SHOWN]]
