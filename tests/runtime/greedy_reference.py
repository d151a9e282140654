"""What transformers thinks of served tokens: run with the runtime environment's Python, JSON in and out.

Argument: the model's folder. Standard input: a list of {"prompt_token_ids", "token_ids"}. For each token it says, in
float32, its log-probability, and by how much the best token led it: 0 where transformers would have chosen it too; and
that best token's logit.
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
    logits = logits[len(prompt) - 1 : -1]
    logprobs = torch.log_softmax(logits, dim=1)
    chosen = logprobs[range(len(tokens)), tokens]
    deficits, largest = logprobs.max(dim=1).values - chosen, logits.max(dim=1).values
    return {"logprobs": chosen.tolist(), "deficits": deficits.tolist(), "largest": largest.tolist()}


if __name__ == "__main__":
    loaded = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32)
    served = json.load(sys.stdin)
    print(json.dumps([judged(loaded, one["prompt_token_ids"], one["token_ids"]) for one in served]))
