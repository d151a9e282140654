"""Decides whether a model fits on a machine type: node count, layout, and the context that fits. Pure.

Uses as few nodes as possible; copies small models to every GPU, and spreads all others for the longest context.
`memory.py` sizes each part, `parallelism` enumerates the layouts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from presets.machines.machine import Machine
from presets.models.catalog import Model
from presets.serving import memory as parts
from presets.serving.overrides import VllmOverrides
from presets.serving.parallelism import Layout, layouts_on_nodes, layouts_on_one_node

GPU_MEMORY_UTILIZATION: Final = 0.9
"""The share of a GPU's usable memory that vLLM is given. Its own default is 0.92 (0.32); two points are left for what
fragments while it runs. KAITO gives 0.84, and 0.82 on an A10, of the advertised memory."""
CONTEXT_GIB: Final = 0.5
"""What CUDA's context takes before vLLM looks: logs say 0.41 (A100) and 0.53 (H100)."""
LEAST_CONTEXT: Final = 2048
"""Tokens of context that must at least fit, unless the user asks for a max-model-len. KAITO's figure."""
COMFORTABLE_CONTEXT: Final = 8192
"""Tokens below which a plan carries a warning: conversations with documents or tools do not fit."""
DECENT_CONTEXT: Final = 32768
"""Tokens that a copy of the model on each GPU must still hold, or else the GPUs work together; and for which no more
pipeline stages are taken than needed."""
IMAGES_AND_LOGS_GIB: Final = 80
GIB: Final = parts.GIB
MOST_NODES: Final = 64


class DoesNotFit(ValueError):
    """No number of these machines can serve the model; the message has the numbers.

    `needed_gib` and `given_gib` are for one GPU in the layout that came nearest, `context` is what would fit in it.
    """

    def __init__(self, message: str, *, needed_gib: float = 0.0, given_gib: float = 0.0, context: int = 0) -> None:
        super().__init__(message)
        self.needed_gib, self.given_gib, self.context = needed_gib, given_gib, context


@dataclass(frozen=True)
class Memory:
    """GiB by part on the fullest GPU. `not_given` is left to the driver and to fragmentation; the sum is `usable`."""

    weights: float
    kv_cache: float
    activations: float
    cuda_graphs: float
    overhead: float
    not_given: float

    @property
    def usable(self) -> float:
        """All of the GPU's usable memory."""
        return self.fixed + self.kv_cache + self.not_given

    @property
    def fixed(self) -> float:
        """What is taken before the first token."""
        return self.weights + self.activations + self.cuda_graphs + self.overhead


@dataclass(frozen=True)
class Fit:
    """How one replica is spread, and what fits then. `context` is in tokens for one sequence, `sequences` how many of
    that length fit at once, in all copies together."""

    layout: Layout
    context: int
    sequences: float
    memory: Memory


def fit(model: Model, machine: Machine, overrides: VllmOverrides | None = None, *, most_nodes: int = MOST_NODES) -> Fit:
    """The fewest machines on which the wanted context fits, and the best layout on them. Raises DoesNotFit."""
    overrides = overrides or VllmOverrides()
    least = least_context(model, overrides)
    if least > model.max_tokens:
        raise DoesNotFit(f"{model.repo} has a context of at most {model.max_tokens} tokens; {least} were asked for")
    given = given_gib(machine, overrides)
    nearest: tuple[float, Layout] | None = None
    for nodes in range(1, most_nodes + 1):
        layouts = _candidates(model, machine, nodes, overrides)
        needs = [(needed_gib(model, machine, layout, overrides, least), layout) for layout in layouts]
        if good := [layout for needed, layout in needs if needed <= given]:
            return _best([fit_in(model, machine, layout, overrides) for layout in good], model, machine, overrides)
        nearest = min([*needs, *([nearest] if nearest else [])], key=lambda need: need[0], default=None)
    raise _does_not_fit(model, machine, overrides, nearest)


def closest(model: Model, machine: Machine, overrides: VllmOverrides) -> Fit | None:
    """The layout on one machine that comes nearest, though it does not fit as far as is known; None where the model
    cannot be spread over its GPUs."""
    least = least_context(model, overrides)
    layouts = list(_candidates(model, machine, 1, overrides))
    if not layouts:
        return None
    nearest = min(layouts, key=lambda layout: needed_gib(model, machine, layout, overrides, least))
    return fit_in(model, machine, nearest, overrides)


def least_context(model: Model, overrides: VllmOverrides) -> int:
    """The minimum context in tokens for a layout to be accepted."""
    return overrides.context or min(LEAST_CONTEXT, model.max_tokens)


def fit_in(model: Model, machine: Machine, layout: Layout, overrides: VllmOverrides) -> Fit:
    """What fits in this very layout; a context of 0 where not even the weights do."""
    memory = memory_of(model, machine, layout, overrides)
    most = min(overrides.context or model.max_tokens, model.max_tokens)
    context = _longest(model, layout, overrides, machine, memory.kv_cache, most)
    one = _cache(model, machine, layout, overrides, context)
    sequences = layout.data * memory.kv_cache / one if context and one else 0.0
    return Fit(layout=layout, context=context, sequences=sequences, memory=memory)


def memory_of(model: Model, machine: Machine, layout: Layout, overrides: VllmOverrides) -> Memory:
    """The parts on the fullest GPU; a KV cache of 0 where the rest already takes more than vLLM is given."""
    weights = parts.weights_gib(model, layout)
    batch = overrides.batch(machine.batch)
    graphs = parts.graphs_gib(weights, batch, eager=overrides.eager)
    activations = parts.activations_gib(model, batch)
    overhead = parts.overhead_gib(layout) + parts.adapters_gib(model, overrides.adapters, overrides.adapter_rank)
    given = given_gib(machine, overrides)
    cache = max(0.0, given - weights - graphs - activations - overhead)
    return Memory(
        weights=weights,
        kv_cache=cache,
        activations=activations,
        cuda_graphs=graphs,
        overhead=overhead,
        not_given=machine.usable_gib - given,
    )


def given_gib(machine: Machine, overrides: VllmOverrides) -> float:
    """GiB of each GPU that vLLM is given."""
    return machine.usable_gib / machine.share * utilization(machine, overrides)


def utilization(machine: Machine, overrides: VllmOverrides) -> float:
    """The share of the memory that CUDA shows which vLLM is given: the user's, or 0.9 of what this pod may take; of a
    small GPU less, so that CUDA itself has room."""
    return overrides.utilization or min(GPU_MEMORY_UTILIZATION * machine.share, most_utilization(machine))


def most_utilization(machine: Machine) -> float:
    """The largest share with which vLLM starts: it does not when less than its share of the memory is free."""
    return machine.share * (1 - CONTEXT_GIB / machine.usable_gib)


def needed_gib(model: Model, machine: Machine, layout: Layout, overrides: VllmOverrides, context: int) -> float:
    """GiB on the fullest GPU that a context of so many tokens needs vLLM to be given."""
    memory = memory_of(model, machine, layout, overrides)
    return memory.fixed + _cache(model, machine, layout, overrides, context)


def disk_gib(model: Model) -> int:
    """GiB of disk on each node: the weight files, images and logs."""
    return int(model.weights_gib) + IMAGES_AND_LOGS_GIB


def _candidates(model: Model, machine: Machine, nodes: int, overrides: VllmOverrides) -> Iterable[Layout]:
    wanted = (overrides.tensor, overrides.pipeline, overrides.data)
    if nodes > 1:
        found = layouts_on_nodes(model, machine.gpus, nodes)
    elif all(wanted):
        # All three are the user's: also layouts that leave GPUs idle or mix stages and copies.
        return [Layout(tensor=overrides.tensor or 1, pipeline=overrides.pipeline or 1, data=overrides.data or 1)]
    else:
        found = layouts_on_one_node(model, machine.gpus)
    return [layout for layout in found if _as_wanted(layout, wanted)]


def _as_wanted(layout: Layout, wanted: tuple[int | None, int | None, int | None]) -> bool:
    chosen = (layout.tensor, layout.pipeline, layout.data)
    return all(override is None or override == choice for override, choice in zip(wanted, chosen, strict=True))


def _best(fits: list[Fit], model: Model, machine: Machine, overrides: VllmOverrides) -> Fit:
    """Copies where each GPU holds the model with room to spare; else as few stages as a decent context allows, because
    a stage waits for the one before it; then the longest context."""
    decent = min(overrides.context or model.max_tokens, DECENT_CONTEXT)
    copies = [fit for fit in fits if fit.layout.data > 1 and _roomy(fit, machine, decent)]
    if copies:
        return min(copies, key=lambda fit: fit.layout.tensor)
    enough = [fit for fit in fits if fit.context >= decent]
    if enough:
        return max(enough, key=lambda fit: (-fit.layout.pipeline, fit.context, fit.layout.tensor))
    return max(fits, key=lambda fit: (fit.context, -fit.layout.pipeline, fit.layout.tensor))


def _roomy(fit: Fit, machine: Machine, context: int) -> bool:
    return fit.context >= context and fit.memory.weights < machine.usable_gib / 2


def _longest(
    model: Model, layout: Layout, overrides: VllmOverrides, machine: Machine, room_gib: float, most: int
) -> int:
    """Tokens, at most `most`, whose cache takes at most `room_gib`. The cache grows with the context, so halving
    finds it."""
    if room_gib <= 0:
        return 0
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if _cache(model, machine, layout, overrides, middle) <= room_gib:
            low = middle
        else:
            high = middle - 1
    return low


def _cache(model: Model, machine: Machine, layout: Layout, overrides: VllmOverrides, context: int) -> float:
    batch = overrides.batch(machine.batch)
    return parts.cache_gib(model, context, layout, kv_bytes=overrides.kv_bytes, batch=batch)


def _does_not_fit(
    model: Model, machine: Machine, overrides: VllmOverrides, nearest: tuple[float, Layout] | None
) -> DoesNotFit:
    if nearest is None:
        tensor, pipeline, data = (size or "any" for size in (overrides.tensor, overrides.pipeline, overrides.data))
        wanted = f"tensor {tensor} x pipeline {pipeline} x data {data}"
        return DoesNotFit(f"{model.repo} cannot be spread as {wanted} over the {machine.gpus} GPUs of {machine.name}")
    needed, layout = nearest
    given = given_gib(machine, overrides)
    least = least_context(model, overrides)
    return DoesNotFit(
        f"{model.repo} needs {needed:.1f} GiB on each GPU for {least} tokens ({layout}); {machine.name} has "
        f"{machine.gpus} x {machine.usable_gib:.1f} GiB, of which vLLM is given {given:.1f} GiB each",
        needed_gib=needed,
        given_gib=given,
        context=fit_in(model, machine, layout, overrides).context,
    )
