"""Judges served greedy tokens by what transformers thinks of them: the same, a tie, or another token.

At each position transformers has read the served tokens before it, so that the comparison goes on after a tie.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# Bits of the significand of bfloat16, in which tokens are served (torch.finfo(torch.bfloat16).eps is 2**-7). A
# processor that adds in another order may round a number to its neighbour.
SIGNIFICAND = 8


@dataclass(frozen=True)
class Judged:
    """How many tokens transformers would have chosen, too, how many are ties, and the positions of the others."""

    same: int
    ties: int
    others: tuple[int, ...]


def judge(deficits: Sequence[float], largest: Sequence[float]) -> Judged:
    """`deficits`: by how much transformers' own choice leads the served token at each position, in log-probability,
    which is as much as in logits; `largest`: the logit of that choice."""
    same = sum(deficit == 0 for deficit in deficits)
    pairs = enumerate(zip(deficits, largest, strict=True))
    others = tuple(position for position, (deficit, logit) in pairs if not deficit <= tie(logit))
    return Judged(same, len(deficits) - same - len(others), others)


def tie(logit: float) -> float:
    """How near two logits are that rounding may swap: each of the two may be its neighbour."""
    _, exponent = math.frexp(logit)
    return 2 * math.ldexp(1.0, exponent - SIGNIFICAND) if logit else 0.0
