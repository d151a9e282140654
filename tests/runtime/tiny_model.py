"""Run in the runtime environment: writes a tiny model with random weights and a tokenizer of its own into a folder.

`tiny_model.py FOLDER [nan | crowded | qwen2]`: `nan` plants a weight that is no number; `crowded` is a model whose own
code says that it is out of memory as soon as it gets more than 4 rows at once; `qwen2` is of another class.
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

TEMPLATE = (
    "{% for message in messages %}<|start|>{{ message['role'] }}\n{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)
CROWDED = '''"""A model that says when it is too full."""

import torch
from transformers import LlamaForCausalLM


def refuse(module, inputs):
    if module.training and inputs[0].shape[0] > 4:
        raise torch.OutOfMemoryError(f"CUDA out of memory: {inputs[0].shape[0]} rows")


class Crowded(LlamaForCausalLM):
    def __init__(self, config):
        super().__init__(config)
        # Not in forward: trl computes the loss past it.
        self.model.embed_tokens.register_forward_pre_hook(refuse)
'''


def main(folder: Path, kind: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(7)
    made, configured = (Qwen2ForCausalLM, Qwen2Config) if kind == "qwen2" else (LlamaForCausalLM, LlamaConfig)
    config = configured(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, tie_word_embeddings=False,
        # Wide enough that the frozen output layer can be sure of a token.
        initializer_range=0.2,
    )  # fmt: skip
    model = made(config)
    if kind == "nan":
        with torch.no_grad():
            model.model.norm.weight[0] = float("nan")
    model.save_pretrained(folder)
    if kind == "crowded":
        (folder / "modeling_crowded.py").write_text(CROWDED)
        file = folder / "config.json"
        told = json.loads(file.read_text())
        told["auto_map"] = {"AutoModelForCausalLM": "modeling_crowded.Crowded"}
        file.write_text(json.dumps(told))


def _tokenizer() -> PreTrainedTokenizerFast:
    """Of single bytes, so that it needs no training text."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = ["<|pad|>", "<|start|>", "<|end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=259, special_tokens=special, initial_alphabet=alphabet)
    inner.train_from_iterator([], trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|end|>", pad_token="<|pad|>")
    made.chat_template = TEMPLATE
    return made


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")
