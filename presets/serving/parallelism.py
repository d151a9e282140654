"""Enumerates a model's layouts over GPUs: tensor, pipeline and data parallelism that vLLM accepts.

Checks divisibility only; `fit.py` sizes the layouts and picks the best.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from presets.models.catalog import Model

VOCABULARY_MULTIPLE: Final = 64
"""vLLM pads the vocabulary to a multiple of this many tokens before it cuts it (VocabParallelEmbedding)."""


@dataclass(frozen=True)
class Layout:
    """One replica of a model: `tensor` x `pipeline` x `data` GPUs on `nodes` nodes.

    `tensor` GPUs share every layer, `pipeline` stages hold a run of layers each, `data` copies serve side by side.
    """

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    nodes: int = 1

    @property
    def gpus(self) -> int:
        """GPUs that are used, on all nodes together."""
        return self.tensor * self.pipeline * self.data

    def __str__(self) -> str:
        text = f"tensor {self.tensor} x pipeline {self.pipeline} x data {self.data}"
        return text if self.nodes == 1 else f"{text} on {self.nodes} nodes"


def tensor_problem(model: Model, tensor: int) -> str | None:
    """Why vLLM refuses to share this model's layers among so many GPUs; None where it does not.

    Attention heads must divide; KV heads must divide, or else be repeated a whole number of times; so must the padded
    vocabulary. A fact that the catalogue does not know is not checked.
    """
    if model.attention_heads % tensor:
        return f"{model.attention_heads} attention heads cannot be divided by {tensor}"
    for group in model.layers:
        if group.kv_heads and group.kv_heads % tensor and tensor % group.kv_heads:
            return f"{group.kv_heads} KV heads can neither be divided nor repeated by {tensor}"
    padded = -(-model.vocab_size // VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE
    if padded % tensor:
        return f"a vocabulary of {padded} (padded) cannot be divided by {tensor}"
    return None


def tensor_sizes(model: Model, gpus: int) -> list[int]:
    """Numbers of GPUs, out of one node's `gpus`, that can share this model's layers; ascending, 1 always among them."""
    return [size for size in range(1, gpus + 1) if gpus % size == 0 and tensor_problem(model, size) is None]


def layouts_on_one_node(model: Model, gpus: int) -> Iterator[Layout]:
    """Every layout that uses all GPUs of one node. Pipeline stages and copies are not mixed."""
    for tensor in tensor_sizes(model, gpus):
        groups = gpus // tensor
        yield Layout(tensor=tensor, data=groups)
        if 1 < groups <= model.layer_count:
            yield Layout(tensor=tensor, pipeline=groups)


def layouts_on_nodes(model: Model, gpus: int, nodes: int) -> Iterator[Layout]:
    """Every layout of one replica on several nodes: layers are shared within a node only, stages go across.

    A shared layer exchanges data twice per layer and token; across nodes only a stage's output travels.
    """
    for tensor in tensor_sizes(model, gpus):
        stages = nodes * gpus // tensor
        if stages <= model.layer_count:
            yield Layout(tensor=tensor, pipeline=stages, nodes=nodes)
