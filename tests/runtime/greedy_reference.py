"""What transformers thinks of served tokens: run with the runtime environment's Python, JSON in and out.

Argument: the model's folder. Standard input: a list of {"prompt_token_ids", "token_ids"}. For each token it says by how
much the best logit, in bfloat16, led that token's: 0 where transformers would have chosen it too.
"""

import json
import sys
from typing import Any

import torch
from transformers import AutoModelForCausalLM


def deficits(model: Any, prompt: list[int], tokens: list[int]) -> list[float]:
    with torch.no_grad():
        logits = model(torch.tensor([prompt + tokens])).logits[0].float()
    # The logits at a position are about the token after it.
    steps = logits[len(prompt) - 1 : -1]
    chosen = steps[range(len(tokens)), tokens]
    return [float(lead) for lead in steps.max(dim=1).values - chosen]


if __name__ == "__main__":
    loaded = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.bfloat16)
    served = json.load(sys.stdin)
    print(json.dumps([deficits(loaded, one["prompt_token_ids"], one["token_ids"]) for one in served]))
