"""Makes a Phi-3 checkpoint with few and random parameters: the architecture of the real one, at a size for tests.

A program of the runtime environment: `build_phi3.py --context 4k|128k --tokenizer FOLDER --out FOLDER`. Its text is
noise; what is real are the configuration's shape (fused projections, long rope for 128k), the loading and the serving.
The tokenizer is borrowed from another model, whose vocabulary the embedding fits.
"""

import argparse
import shutil
from pathlib import Path

import torch  # type: ignore[import-not-found,unused-ignore]
from transformers import (  # type: ignore[import-not-found,unused-ignore]
    AutoTokenizer,
    GenerationConfig,
    Phi3Config,
    Phi3ForCausalLM,
)

SEED = 20240423
# 32 is the smallest head size of vLLM's CPU attention; two heads let two-way tensor parallelism be tried.
HEAD_SIZE = 32
HEADS = 2
LAYERS = 2
INTERMEDIATE_SIZE = 256
ORIGINAL_POSITIONS = 4096
POSITIONS = {"4k": 4096, "128k": 131072}
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
CARD = """---
license: mit
language: [en]
library_name: transformers
pipeline_tag: text-generation
tags: [safetensors, phi3, conversational]
---
The Phi-3 architecture with {context} context, few parameters and random weights. For tests of loading and serving.
"""


def rope(context: str) -> dict[str, object]:
    """Rotary embedding settings: plain for 4k, long rope with one factor per rotated pair for 128k."""
    if context == "4k":
        return {"rope_type": "default", "rope_theta": 10000.0}
    pairs = HEAD_SIZE // 2
    short = [round(1.0 + 0.05 * pair, 2) for pair in range(pairs)]
    # Slow dimensions are stretched the most, up to the ratio of the two context lengths.
    stretch = POSITIONS["128k"] / ORIGINAL_POSITIONS
    long = [round(stretch ** (pair / (pairs - 1)), 4) for pair in range(pairs)]
    return {"rope_type": "longrope", "rope_theta": 10000.0, "short_factor": short, "long_factor": long}


def build(context: str, tokenizer_folder: Path, out: Path) -> None:
    """Writes model, tokenizer files, generation config and README into `out`."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    config = Phi3Config(
        vocab_size=len(tokenizer),
        hidden_size=HEAD_SIZE * HEADS,
        intermediate_size=INTERMEDIATE_SIZE,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=POSITIONS[context],
        original_max_position_embeddings=ORIGINAL_POSITIONS,
        rope_parameters=rope(context),
        # Tied, a random model repeats its last token for ever, and a comparison of served tokens would show nothing.
        tie_word_embeddings=False,
        **ids,
    )
    torch.manual_seed(SEED)
    model = Phi3ForCausalLM(config).to(torch.bfloat16)
    model.generation_config = GenerationConfig(**ids)
    model.save_pretrained(out)
    for name in TOKENIZER_FILES:
        shutil.copyfile(tokenizer_folder / name, out / name)
    (out / "README.md").write_text(CARD.format(context=context))


def check(folder: Path) -> None:
    """Raises ValueError unless the checkpoint loads and generates finite scores."""
    model = Phi3ForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    scores = model(torch.tensor([[1, 2, 3]])).logits
    if not bool(torch.isfinite(scores).all()):
        raise ValueError(f"the checkpoint in {folder} computes scores that are no numbers")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--context", choices=sorted(POSITIONS), required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    build(given.context, given.tokenizer, given.out)
    check(given.out)


if __name__ == "__main__":
    main()
