"""Finds the place of each of an adapter's matrices in the model that is served. Pure functions over names and shapes.

vLLM ignores a matrix whose name its model does not have, without a word: the adapter is then served as the base model.
Which names there are is read by `waiting.py` and `naming.py`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from runtime.pod.lora_tensors import BASE_EMBEDDINGS, PREFIX, Matrices, matrices
from runtime.pod.safetensors import Tensor

_WHOLE: Final = frozenset({"BF16", "F16", "F32"})
"""Types that keep a matrix's shape; packed (quantized) types do not."""
_EXPERTS: Final = ".experts"
_EMBEDDINGS: Final = frozenset({"embed_tokens", "lm_head", "wte", "embed_in", "embed_out", "word_embeddings"})
_WRAPPERS: Final = ("model.", "language_model.", "")


def _as_it_is(name: str) -> str:
    return name


@dataclass(frozen=True)
class Naming:
    """How vLLM's class names the model's parts. `renamed`: from a name in files to vLLM's. `packed`: modules that hold
    several of the files', by their last names. `embeddings`: those that take an adapter; None if it is not known."""

    renamed: Callable[[str], str] = _as_it_is
    packed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    embeddings: frozenset[str] | None = None


def misfits(adapter: Mapping[str, Tensor], weights: Mapping[str, Tensor], naming: Naming | None) -> Iterator[str]:
    """Yields a sentence about each thing that does not fit. Without `naming`, for classes whose names vLLM makes up
    while it loads them, only sizes are compared."""
    pairs = list(matrices(adapter))
    if naming is not None and weights:
        yield from _homeless(pairs, weights, naming)
    for pair in pairs:
        base = weights.get(f"{pair.module}.weight")
        if (
            base is None
            or base.dtype not in _WHOLE
            or {len(pair.down.shape), len(pair.up.shape), len(base.shape)} != {2}
        ):
            continue
        # Some old models store their matrices transposed.
        if base.shape not in (pair.weight_shape, pair.weight_shape[::-1]):
            wanted = _size(pair.weight_shape)
            yield f"{pair.module} is {_size(base.shape)} in the model, and the adapter is for {wanted}"
    yield from _resized(adapter, weights)


def _homeless(pairs: Sequence[Matrices], weights: Mapping[str, Tensor], naming: Naming) -> Iterator[str]:
    """Yields a sentence about embeddings that take no adapter, and one about all modules that the model lacks."""
    there = {naming.renamed(name).rpartition(".")[0] for name in weights}
    lost = []
    for pair in pairs:
        last = pair.module.rpartition(".")[2]
        if last in _EMBEDDINGS:
            if naming.embeddings is not None and last not in naming.embeddings:
                yield f"vLLM serves no adapter of {last} with this model's class; train without it in target_modules"
        elif not _has_place(naming.renamed(f"{pair.module}.weight").rpartition(".")[0], there, naming):
            lost.append(pair.module)
    if lost:
        more = f" (and {len(lost) - 1} more of {len(pairs)})" if len(lost) > 1 else ""
        yield f"the model has no {lost[0]}{more}{_hint(lost[0], weights)}"


def _has_place(module: str, there: set[str], naming: Naming) -> bool:
    if module in there:
        return True
    if _EXPERTS in module:
        # Experts have a name each in one file and share a tensor in another; vLLM checks those.
        block = module[: module.index(_EXPERTS)]
        return any(name.startswith(f"{block}.") for name in there)
    parent, _, last = module.rpartition(".")
    return any(last in parts and f"{parent}.{packed}" in there for packed, parts in naming.packed.items())


def _hint(module: str, weights: Mapping[str, Tensor]) -> str:
    """The model's name of the same module, if the two differ by what is around the layers only."""
    tail = module
    for wrapper in _WRAPPERS * 2:
        tail = tail.removeprefix(wrapper)
    own = {name.removesuffix(".weight") for name in weights}
    same = next((name for name in sorted(own) if name.endswith(f".{tail}") or name == tail), None)
    if same is None:
        return ""
    return (
        f"; there it is {same}. It was trained on this model without its head, or inside of another one: train it with "
        "AutoModelForCausalLM of the repository that is served, or rename its tensors"
    )


def _resized(adapter: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> Iterator[str]:
    """vLLM leaves out the embeddings that peft saves beside an adapter; another vocabulary would need them."""
    for name, tensor in adapter.items():
        if name.endswith(BASE_EMBEDDINGS):
            base = weights.get(name.removeprefix(PREFIX).replace(".base_layer", ""))
            if base is not None and base.shape != tensor.shape:
                yield f"{name} is {_size(tensor.shape)}, and the model has {_size(base.shape)}"


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
