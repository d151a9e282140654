"""What the plan says for this model on this GPU, as it would for a node with it; and whether it held. Pure.

vLLM's own log has what it used of each part. A plan may be more than is used, never less: a server or a training that
needs more does not start.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from api.configs.training import TrainingConfig
from bench.gpu.figures import Figures
from presets.machines.machine import Machine
from presets.models.catalog import Model
from presets.serving.fit import Fit, fit, utilization
from presets.serving.overrides import VllmOverrides
from presets.tuning.fit import training_memory
from presets.tuning.overrides import training_overrides

_NUMBER: Final = r"([0-9][0-9.,]*)"
LOGGED: Final[Mapping[str, str]] = {
    "weights_gib": rf"Model loading took {_NUMBER} GiB memory",
    "kv_cache_gib": rf"Available KV cache memory: {_NUMBER} GiB",
    "kv_cache_tokens": rf"KV cache size: {_NUMBER} tokens",
    "cuda_graphs_gib": rf"Graph capturing finished in [0-9.]+ secs, took {_NUMBER} GiB",
}
"""By quantity, the line of vLLM's log that has it (0.32)."""


@dataclass(frozen=True)
class Planned:
    """One number of a plan, and where the measured one stands that it limits."""

    part: str
    quantity: str
    value: float
    limit: Literal["at most", "at least"]


@dataclass(frozen=True)
class Held:
    """A planned number beside the measured one."""

    planned: Planned
    measured: float

    @property
    def ok(self) -> bool:
        if self.planned.limit == "at most":
            return self.measured <= self.planned.value
        return self.measured >= self.planned.value


def serving_fit(model: Model, machine: Machine) -> Fit:
    """The plan of a server without options. Raises DoesNotFit."""
    return fit(model, machine.with_gpus(1), VllmOverrides())


def serving_share(machine: Machine) -> float:
    """vLLM's gpu-memory-utilization, as planned."""
    return utilization(machine, VllmOverrides())


def serving_plan(part: str, planned: Fit) -> Iterator[Planned]:
    """Parts of the memory in GiB, and the tokens that the KV cache is promised to have room for."""
    memory = planned.memory
    yield Planned(part, "weights_gib", memory.weights, "at most")
    yield Planned(part, "cuda_graphs_gib", memory.cuda_graphs, "at most")
    yield Planned(part, "kv_cache_gib", memory.kv_cache, "at least")
    yield Planned(part, "kv_cache_tokens", planned.sequences * planned.context, "at least")
    yield Planned(part, "device_memory_gib", memory.usable, "at most")


def training_plan(part: str, model: Model, machine: Machine, config: TrainingConfig, method: str) -> Iterator[Planned]:
    """All that the training needs in GiB, against torch's own count and against the device's."""
    needed = training_memory(model, machine.with_gpus(1), training_overrides(config, method, model)).needed
    for quantity in ("torch_memory_gib", "device_memory_gib"):
        yield Planned(part, quantity, needed, "at most")


def logged(text: str) -> dict[str, float]:
    """What vLLM's log says that it uses, by quantity; what it does not say is left out."""
    found = {name: re.search(pattern, text) for name, pattern in LOGGED.items()}
    return {name: float(match[1].replace(",", "").rstrip(".")) for name, match in found.items() if match}


def held(plans: list[Planned], figures: Mapping[str, Figures]) -> list[Held]:
    """Every planned number whose part was measured, beside what it was."""
    return [
        Held(planned, figures[planned.part][planned.quantity])
        for planned in plans
        if planned.quantity in figures.get(planned.part, {})
    ]
