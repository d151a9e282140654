"""What transformers thinks of served tokens: run with the runtime environment's Python, JSON in and out.

Argument: the model's folder. Standard input: a list of {"prompt_token_ids", "token_ids"}. For each token it says, in
float32, its log-probability, and by how much the best token led it: 0 where transformers would have chosen it too.
"""

import json
import sys
from typing import Any

import torch
from transformers import AutoModelForCausalLM


def judged(model: Any, prompt: list[int], tokens: list[int]) -> dict[str, list[float]]:
    with torch.no_grad():
        logits = model(torch.tensor([prompt + tokens])).logits[0]
    # The logits at a position are about the token after it.
    logprobs = torch.log_softmax(logits[len(prompt) - 1 : -1], dim=1)
    chosen = logprobs[range(len(tokens)), tokens]
    return {"logprobs": chosen.tolist(), "deficits": (logprobs.max(dim=1).values - chosen).tolist()}


if __name__ == "__main__":
    loaded = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)
    served = json.load(sys.stdin)
    print(json.dumps([judged(loaded, one["prompt_token_ids"], one["token_ids"]) for one in served]))
