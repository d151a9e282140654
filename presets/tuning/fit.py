"""Decides whether a training fits on a machine type, which settings would make it fit, and its volume's size. Pure."""

import math
from dataclasses import dataclass, replace
from typing import Final

from presets.machines.machine import Machine
from presets.machines.skus import sku_table
from presets.models.catalog import Model
from presets.serving.fit import DoesNotFit
from presets.tuning import memory as parts
from presets.tuning.linear_sizes import GIB
from presets.tuning.overrides import TrainingOverrides

PACKED_CAPABILITY: Final = {4: 6.0, 8: 7.5}
"""The least compute capability by bits of a packed weight (bitsandbytes 0.50, installation guide)."""
HALF_TYPE_CAPABILITY: Final = 8.0
"""Below it there is no bfloat16."""
DATA_GIB: Final = 8
"""What a volume has room for of fetched data: how much it is, is known only when it has been fetched."""
PREPARED_SHARE: Final = 2
"""Prepared rows take at most so many times the data: 8 bytes for each token (its number and its label), and a token
stands for about four bytes of text."""
LOGS_GIB: Final = 1
DISK_STEPS: Final = (32, 64, 128, 256, 512, 1024, 2048)
"""GiB of Azure's managed disks. A smaller volume is billed as the next of them, so its room costs nothing."""
SHOWN: Final = 3


@dataclass(frozen=True)
class Memory:
    """GiB by part on each GPU."""

    weights: float
    adapter: float
    activations: float
    overhead: float
    usable: float

    @property
    def needed(self) -> float:
        """What must be there."""
        return self.weights + self.adapter + self.activations + self.overhead

    @property
    def given(self) -> float:
        """What may be used: the rest is left to fragments."""
        return self.usable * (1 - parts.FRAGMENTS)

    @property
    def fits(self) -> bool:
        """Whether the parts fit into the usable memory."""
        return self.needed <= self.given


def training_memory(model: Model, machine: Machine, overrides: TrainingOverrides) -> Memory:
    """The parts on each of the machine's GPUs; they all hold the model."""
    return Memory(
        weights=parts.weights_gib(model, overrides),
        adapter=parts.adapter_gib(model, overrides, machine.gpus),
        activations=parts.activations_gib(model, overrides),
        overhead=parts.overhead_gib(machine.gpus),
        usable=machine.usable_gib,
    )


def fit_training(model: Model, machine: Machine, overrides: TrainingOverrides) -> Memory:
    """The parts, when they fit. Raises DoesNotFit with the numbers and what would make them fit on this machine."""
    memory = training_memory(model, machine, overrides)
    if memory.fits:
        return memory
    message = (
        f"training {model.repo} by {overrides.method} needs {memory.needed:.1f} GiB on each GPU "
        f"({memory.weights:.1f} of weights, {memory.adapter:.1f} of adapter and optimizer, {memory.activations:.1f} of "
        f"activations for {overrides.batch} x {overrides.length} tokens, {memory.overhead:.1f} of overhead); "
        f"{machine.name} has {machine.usable_gib:.1f} GiB, of which {memory.given:.1f} may be used"
    )
    ways = ways_to_fit(model, machine, overrides)
    if ways:
        message += f". It fits with {' or with '.join(ways)}"
    raise DoesNotFit(message, needed_gib=memory.needed, given_gib=memory.given)


def ways_to_fit(model: Model, machine: Machine, overrides: TrainingOverrides) -> list[str]:
    """Changes of the settings with which the training fits on the machine: each alone, the gentlest first."""
    packed = replace(overrides, method="qlora", bits=4, double_quant=True)
    tried: list[tuple[str, TrainingOverrides]] = []
    if not overrides.checkpointing:
        tried.append(("gradient_checkpointing: true", replace(overrides, checkpointing=True)))
    tried += [
        (f"per_device_train_batch_size: {size}", replace(overrides, batch=size)) for size in _halves(overrides.batch)
    ]
    if not overrides.bits:
        tried.append(("method: qlora", packed))
    tried += [(f"max_length: {length}", replace(overrides, length=length)) for length in _lengths(overrides.length)]
    if not overrides.bits:
        tried += [
            (f"method: qlora and max_length: {length}", replace(packed, length=length))
            for length in _lengths(overrides.length)
        ]
    found: dict[str, str] = {}
    for change, changed in tried:
        key = change.rpartition(":")[0]  # of several lengths or batches only the first, which is the largest
        if key not in found and not refusals(model, machine, changed) and training_memory(model, machine, changed).fits:
            found[key] = change
    single = [change for key, change in found.items() if " and " not in key]
    return single or list(found.values())


def refusals(model: Model, machine: Machine, overrides: TrainingOverrides) -> list[str]:
    """Why this training cannot run on this machine regardless of memory; empty if it can."""
    capability = machine.compute_capability or 0.0
    if why := machine.too_old():
        return [why]
    least = PACKED_CAPABILITY.get(overrides.bits, 0.0)
    if capability < least:
        return [
            f"weights of {overrides.bits} bits need GPUs of compute capability {least:.1f} or more; {machine.name} "
            f"({machine.gpu_model}) has {capability:.1f}"
        ]
    return []


def concerns(model: Model, machine: Machine, overrides: TrainingOverrides) -> list[str]:
    """What works and may disappoint."""
    found = []
    if overrides.unknown_modules:
        found.append(
            f"target_modules: {model.repo} has no {', '.join(overrides.unknown_modules)}, so no adapter there; it has "
            f"{', '.join(model.lora_targets)}, or use all-linear"
        )
    if (machine.compute_capability or 0.0) < HALF_TYPE_CAPABILITY and overrides.weight_bytes == 2:
        found.append(f"{machine.name} ({machine.gpu_model}) has no bfloat16: the training computes in float16")
    if machine.architecture != "amd64":
        found.append(f"{machine.name} is an {machine.architecture} machine: the training image must be built for it")
    return found


@dataclass(frozen=True)
class Alternative:
    """A machine on which the training fits; the price is US dollars per hour, None where it is not known."""

    instance_type: str
    price_per_hour: float | None

    def __str__(self) -> str:
        price = "price not known" if self.price_per_hour is None else f"${self.price_per_hour:.2f}/h"
        return f"{self.instance_type} ({price})"


def machines_that_train(model: Model, region: str, overrides: TrainingOverrides) -> list[Alternative]:
    """At most three, cheapest first; left out are retired sizes and those that the image is not built for."""
    found = []
    for sku in sku_table().skus:
        if not sku.gpus or sku.retired or sku.architecture != "amd64":
            continue
        machine = Machine.of(sku)
        if not refusals(model, machine, overrides) and training_memory(model, machine, overrides).fits:
            found.append((sku.total_gpu_memory_gib, Alternative(sku.name, sku.price(region))))
    found.sort(key=lambda entry: (entry[1].price_per_hour is None, entry[1].price_per_hour or 0.0, entry[0]))
    return [alternative for _, alternative in found[:SHOWN]]


def volume_gib(model: Model, overrides: TrainingOverrides, data_gib: int = DATA_GIB) -> int:
    """GiB of the run's volume: data x 3 (as fetched, and prepared) + (checkpoints kept + 1 being written) x 12 bytes of
    a trained weight + the adapter twice (being written, and whole) + 1 for logs; then the next size of a disk.

    Weights are not on it: they go to the node's disk. Sources: what `runtime.tune` writes, torch's AdamW.
    """
    checkpoints = (overrides.kept_checkpoints + 1) * parts.checkpoint_gib(model, overrides)
    adapter = 2 * parts.adapter_parameters(model, overrides) * 4 / GIB
    needed = data_gib * (1 + PREPARED_SHARE) + checkpoints + adapter + LOGS_GIB
    return next((step for step in DISK_STEPS if step >= needed), math.ceil(needed))


def _halves(number: int) -> list[int]:
    found = []
    while number > 1:
        number //= 2
        found.append(number)
    return found


def _lengths(length: int) -> list[int]:
    return [half for half in _halves(length) if half >= 256]
