"""Turns the 4-bit GGUF file of SmolLM2-135M-Instruct into a bfloat16 checkpoint that transformers and vLLM load.

A program of the runtime environment (torch, transformers, gguf, accelerate), with `--gguf FILE --out FOLDER`.
It ends with an error when the finished checkpoint does not answer a question that the model can answer.
"""

import argparse
from pathlib import Path

import torch  # type: ignore[import-not-found,unused-ignore]
from transformers import (  # type: ignore[import-not-found,unused-ignore]
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
)

# Far from a tie at every token, see deploy/local/demo/demo.py.
QUESTION = "What is the capital of South Korea?"
ANSWER = "Seoul"
CARD = """---
license: apache-2.0
language: [en]
library_name: transformers
pipeline_tag: text-generation
tags: [safetensors, llama, conversational]
---
SmolLM2-135M-Instruct in bfloat16, dequantised from a 4-bit (Q4_1) GGUF file, so it answers slightly differently.
"""


def build(gguf: Path, out: Path) -> None:
    """Writes model, tokenizer with chat template, generation config and README into `out`."""
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name)
    settings = loaded.config.to_dict()
    tokenizer.model_max_length = settings["max_position_embeddings"]
    # A model loaded from GGUF refuses to be saved: its weights go into one that never was quantised.
    for leftover in ("quantization_config", "_name_or_path", "_model_name_or_path", "dtype"):
        settings.pop(leftover, None)
    settings["rms_norm_eps"] = 1e-5  # GGUF keeps it in single precision: 9.999999747378752e-06
    model = LlamaForCausalLM(LlamaConfig(**settings))
    model.load_state_dict(loaded.state_dict())
    model = model.to(torch.bfloat16)
    ids = {name: settings[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    model.generation_config = GenerationConfig(**ids)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    (out / "README.md").write_text(CARD)


def ask(folder: Path, question: str) -> str:
    """The checkpoint's greedy answer, at most 24 tokens long."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    messages = [{"role": "user", "content": question}]
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    tokens = model.generate(**prompt, max_new_tokens=24, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    return str(tokenizer.decode(tokens, skip_special_tokens=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    build(given.gguf, given.out)
    answer = ask(given.out, QUESTION)
    print(f"{QUESTION} {answer}")
    if ANSWER not in answer:
        raise SystemExit(f"the checkpoint in {given.out} is wrong: asked {QUESTION!r} it answers {answer!r}")


if __name__ == "__main__":
    main()
