"""Whether an adapter changes what the model answers: compares the log-probabilities of one prompt's continuation.

vLLM serves an adapter whose names it does not know, or whose matrices are zero, as the base model and says nothing.
Decided here: what is asked, how far two answers are apart, and what that means. Asking a pod is left to
`completions.py`.
"""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

PROMPT: Final = (
    "1. The quick brown fox jumps over the lazy dog. 2. def area(r): return 3.14 * r ** 2\n"
    "3. Q: What is the capital of France? A: Paris. 4. Le chat dort; der Hund bellt. 5. Therefore"
)
"""Of several kinds of text, so that also an adapter of few modules or experts is reached. About 60 tokens."""
TOKENS: Final = 8
ALTERNATIVES: Final = 5
"""Of each token; vLLM allows 20 unless max-logprobs says otherwise."""
ROUNDS: Final = 3
NOISE_FACTOR: Final = 3.0
"""How many times farther than the base model from itself an adapter's answer must be. A server that nobody else asks
repeats itself to the bit, so that any difference counts; beside other requests, or with kernels that add in no fixed
order, sums are rounded otherwise."""

Step = Mapping[str, float]
"""The log-probability of each token that was considered, at one place of the answer."""


@dataclass(frozen=True)
class Continuation:
    """The tokens of a greedy answer, and what was considered at each of them."""

    tokens: tuple[str, ...]
    steps: tuple[Step, ...]


Ask = Callable[[str], Awaitable[Continuation | None]]
"""Asks for the answer of the model of that name; None where the server gives no log-probabilities."""


async def without_effect(ask: Ask, base: str, adapters: Sequence[str]) -> list[str]:
    """The adapters whose answers are the base model's; none where the server gives no log-probabilities. Asks for one
    answer of each, and up to ROUNDS times as many where answers are not repeated to the bit."""
    left = list(adapters)
    for _ in range(ROUNDS):
        before = await ask(base) if left else None
        if before is None:
            return []
        changes = {name: distance(before, answer) for name in left if (answer := await ask(name)) is not None}
        if not any(changes.values()):
            return list(changes)
        after = await ask(base)
        noise = 0.0 if after is None else distance(before, after)
        left = [name for name, change in changes.items() if change <= NOISE_FACTOR * noise]
    return left


def question(model: str, salt: str) -> dict[str, Any]:
    """The request's body. `salt` keeps the server from taking parts of an earlier answer from its cache, which would
    round otherwise."""
    return {
        "model": model,
        "prompt": PROMPT,
        "max_tokens": TOKENS,
        "temperature": 0,
        "logprobs": ALTERNATIVES,
        "cache_salt": salt,
    }


def continuation_of(answer: Mapping[str, Any]) -> Continuation | None:
    """Reads an answer; None for one that holds no log-probabilities, whatever else it holds."""
    try:
        told = answer["choices"][0]["logprobs"]
        tokens = tuple(str(token) for token in told["tokens"][:TOKENS])
        steps = tuple({str(token): float(value) for token, value in step.items()} for step in told["top_logprobs"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None
    numbers = [value for step in steps for value in step.values()]
    good = tokens and len(steps) >= len(tokens) and all(steps) and all(map(math.isfinite, numbers))
    return Continuation(tokens, steps[: len(tokens)]) if good else None


def distance(one: Continuation, other: Continuation) -> float:
    """The largest difference of a token's log-probability, at all places up to the first different token. 0 means that
    the two answers are the same in every number."""
    largest = 0.0
    for mine, theirs, first, second in zip(one.tokens, other.tokens, one.steps, other.steps, strict=False):
        shared = first.keys() & second.keys()
        largest = max([largest, *(abs(first[token] - second[token]) for token in shared)])
        if not shared or first.keys() != second.keys():
            # One of them was not even considered.
            largest = max(largest, _of_the_excluded(first, second))
        if mine != theirs:
            return largest
    return largest if len(one.tokens) == len(other.tokens) else max(largest, math.ulp(1.0))


def _of_the_excluded(first: Step, second: Step) -> float:
    """By how much at least a token's log-probability differs that is among the best of one answer only: it is at most
    the other's last."""
    pairs = ((first, second), (second, first))
    return max(
        (abs(mine[token] - min(others.values())) for mine, others in pairs for token in mine.keys() - others.keys()),
        default=0.0,
    )
