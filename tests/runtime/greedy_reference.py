"""What transformers says, token by token: run with the runtime environment's Python, prints JSON.

Arguments: the model's folder, the number of tokens, then the prompts. For each prompt: its tokens, the greedy tokens in
bfloat16, and at each step by how much the best logit led the second. Where the lead is within the rounding of bfloat16,
another order of additions may choose the other token, and nobody is wrong.
"""

import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def main(folder: str, length: int, prompts: list[str]) -> list[dict[str, object]]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    return [continued(tokenizer, model, prompt, length) for prompt in prompts]


def continued(tokenizer: object, model: object, prompt: str, length: int) -> dict[str, object]:
    inputs = tokenizer(prompt, return_tensors="pt")
    found = model.generate(
        **inputs, max_new_tokens=length, do_sample=False, output_logits=True, return_dict_in_generate=True
    )
    start = inputs["input_ids"].shape[1]
    best = [torch.topk(step[0].float(), 2).values for step in found.logits]
    return {
        "prompt_tokens": found.sequences[0][:start].tolist(),
        "tokens": found.sequences[0][start:].tolist(),
        "leads": [float(first - second) for first, second in best],
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])))
