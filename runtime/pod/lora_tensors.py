"""Reads the tensors of a LoRA adapter by their names: which pairs of matrices there are, and what is none of them.

What of it can be served is decided by `runtime.adapters` and `runtime.serve`.
Source of the names: peft's `save_pretrained`, and vLLM 0.32, vllm.lora.utils (parse_fine_tuned_lora_name,
is_base_embedding_weights).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from runtime.pod.safetensors import Tensor

PREFIX: Final = "base_model.model."
PAIRS: Final = ((".lora_A.weight", ".lora_B.weight"), (".lora_embedding_A", ".lora_embedding_B"))
"""The two matrices of a linear layer, and of an embedding."""
BASE_EMBEDDINGS: Final = (".embed_tokens.base_layer.weight", ".lm_head.base_layer.weight")
"""The model's own embeddings, which peft saves beside an adapter of theirs; vLLM leaves them out."""


@dataclass(frozen=True)
class Matrices:
    """The pair of one module, which has its name in the model that was trained. Shapes of `down` and `up` are (rank,
    inputs) and (outputs, rank), of an embedding (rank, vocabulary) and (hidden size, rank)."""

    module: str
    down: Tensor
    up: Tensor
    embeds: bool

    @property
    def weight_shape(self) -> tuple[int, int]:
        """The shape of the weight that the pair is for."""
        inputs, outputs = self.down.shape[1], self.up.shape[0]
        return (inputs, outputs) if self.embeds else (outputs, inputs)


def matrices(tensors: Mapping[str, Tensor]) -> Iterator[Matrices]:
    """Yields every pair."""
    for name, down in tensors.items():
        for first, second in PAIRS:
            up = tensors.get(f"{name.removesuffix(first)}{second}")
            if name.endswith(first) and up is not None:
                module = name.removeprefix(PREFIX).removesuffix(first)
                yield Matrices(module, down, up, embeds=(first, second) == PAIRS[1])


def foreign(tensors: Mapping[str, Tensor]) -> list[str]:
    """Names of tensors that are neither a LoRA matrix nor the model's own embedding."""
    known = (*(end for pair in PAIRS for end in pair), *BASE_EMBEDDINGS)
    return [name for name in tensors if not name.endswith(known)]


def unpaired(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, str]]:
    """Yields (matrix that is there, matrix that is missing)."""
    for name in tensors:
        for pair in PAIRS:
            for mine, other in (pair, pair[::-1]):
                partner = f"{name.removesuffix(mine)}{other}"
                if name.endswith(mine) and partner not in tensors:
                    yield name, partner
