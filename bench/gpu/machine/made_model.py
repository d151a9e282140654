"""Writes a model with random weights, for machines that can fetch none.

`python -m bench.gpu.machine.made_model FOLDER SHAPE`, a program of the runtime environment. `smollm2` is the shape that
SmolLM2-135M has published, `tiny` one for CPUs. The tokenizer knows single words, w0 to wN: as many as the model has
tokens, so every token that it makes is a word.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SMOLLM2: Final[dict[str, Any]] = {
    "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
    "num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 8192, "tie_word_embeddings": True,
    "rms_norm_eps": 1e-5, "rope_parameters": {"rope_theta": 100000.0, "rope_type": "default"},
}  # fmt: skip
"""HuggingFaceTB/SmolLM2-135M-Instruct's config.json."""
TINY: Final[dict[str, Any]] = {
    "vocab_size": 512, "hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 256, "tie_word_embeddings": True,
}  # fmt: skip
SHAPES: Final = {"smollm2": SMOLLM2, "tiny": TINY}
SPECIAL: Final = ("<unk>", "<s>", "</s>")


def main(folder: Path, shape: str) -> None:
    """Writes weights, config and tokenizer; the same ones each time."""
    sizes = SHAPES[shape]
    made = _tokenizer(sizes["vocab_size"])
    torch.manual_seed(7)
    config = LlamaConfig(**sizes, bos_token_id=1, eos_token_id=2, pad_token_id=2)
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    made.save_pretrained(folder)
    print(json.dumps(sizes))


def _tokenizer(vocabulary: int) -> PreTrainedTokenizerFast:
    words = [*SPECIAL, *(f"w{number}" for number in range(vocabulary - len(SPECIAL)))]
    inner = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token=SPECIAL[0]))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    unknown, begins, ends = SPECIAL
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token=unknown, bos_token=begins, eos_token=ends, pad_token=ends
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
