"""The linear modules of a model that an adapter can be trained on: what goes in, what comes out. Pure.

The catalogue has hidden size, heads and the number of parameters, but not the intermediate size: it is computed from
the parameters that the other parts leave, and is overestimated rather than underestimated.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from presets.models.architecture import LayerGroup
from presets.models.catalog import Model

GIB: Final = 1 << 30
FILE_BYTES: Final = {"float32": 4}
"""Bytes of a weight in the repository's files; 2 for all other types."""
_MLP: Final = {"gate_up_proj": 2, "gate_proj": 1, "up_proj": 1, "down_proj": 1, "fc1": 1, "fc2": 1}
_MLP_FALCON: Final = {"dense_h_to_4h": 1, "dense_4h_to_h": 1}
_MATRICES: Final = _MLP | _MLP_FALCON
"""Matrices of hidden x intermediate size in a module of this name."""
_BACK: Final = frozenset({"down_proj", "fc2", "dense_4h_to_h"})
"""Modules that lead from the intermediate size back to the hidden size."""
_TIED: Final = "Gemma"
"""Makers whose head is the embedding: the weights hold it once, and memory does, too."""


@dataclass(frozen=True)
class Linear:
    """One module, found `count` times: once in every layer of a kind."""

    name: str
    inputs: int
    outputs: int
    count: int

    @property
    def parameters(self) -> int:
        """Of all of them."""
        return self.inputs * self.outputs * self.count


def parameters(model: Model) -> float:
    """All weights of the model, as published; else what its files hold."""
    if model.parameters_b:
        return model.parameters_b * 1e9
    return model.weights_gib * GIB / FILE_BYTES.get(model.dtype, 2)


def embedding(model: Model) -> int:
    """Weights of the embedding; the head has as many."""
    return model.vocab_size * model.hidden_size


def copies_of_embedding(model: Model) -> int:
    """How often memory holds it: beside the embedding there is the head, except where the class always ties them.
    Whether a single model ties them is not in the catalogue, so the larger answer is given."""
    return 1 if model.architecture.startswith(_TIED) else 2


def attention_width(model: Model, group: LayerGroup) -> int:
    """Numbers of all heads of a layer."""
    return model.attention_heads * group.head_dim or model.hidden_size


def key_value_width(group: LayerGroup) -> int:
    """Numbers of all keys, or of all values, of a layer."""
    return group.kv_heads * group.head_dim


def intermediate_size(model: Model) -> int:
    """The width of the layers' MLPs: weights that are neither embedding nor attention, divided by hidden size x the
    matrices of an MLP x layers. The head is taken to be the embedding, which leaves the more for the MLPs. 4 x hidden
    size where the numbers leave nothing."""
    matrices = sum(_MATRICES.get(name, 0) for name in model.lora_targets)
    attention = sum(
        2 * model.hidden_size * (attention_width(model, group) + key_value_width(group)) * group.count
        for group in model.layers
    )
    left = parameters(model) - embedding(model) - attention
    if not matrices or not model.hidden_size or left <= 0:
        return 4 * model.hidden_size
    return int(left / (model.hidden_size * matrices * model.layer_count))


def linears(model: Model, names: Iterable[str]) -> list[Linear]:
    """The modules of these names, as the classes in `hub/lora_targets.py` build them."""
    width = intermediate_size(model)
    return [_linear(model, group, name, width) for group in model.layers for name in names]


def _linear(model: Model, group: LayerGroup, name: str, width: int) -> Linear:
    heads, keys = attention_width(model, group), key_value_width(group)
    if name in _MATRICES:
        inputs, outputs = model.hidden_size, width * _MATRICES[name]
        return Linear(name, *((outputs, inputs) if name in _BACK else (inputs, outputs)), count=group.count)
    if name in ("o_proj", "dense"):
        return Linear(name, heads, model.hidden_size, group.count)
    outputs = {"q_proj": heads, "k_proj": keys, "v_proj": keys}.get(name, heads + 2 * keys)
    return Linear(name, model.hidden_size, outputs, group.count)
