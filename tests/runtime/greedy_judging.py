"""Judges served greedy tokens by what transformers thinks of them: the same, a tie, or another token.

At each position transformers has read the served tokens before it, so that the comparison goes on after a tie.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# Of a bfloat16's significand, the leading one not counted (as in torch.finfo(torch.bfloat16).eps == 2**-7).
FRACTION_BITS = 7
# The model's largest logits are between 16 and 32; the test that uses this holds the 32.
LOGITS_BELOW = 32.0
# How far apart neighbouring bfloat16 numbers are just below that: 1/8.
SPACING = 2.0 ** (math.log2(LOGITS_BELOW) - 1 - FRACTION_BITS)
# Two logits are compared, and another order of additions may round each of them to the neighbour: one up, one down.
TIE = 2 * SPACING


@dataclass(frozen=True)
class Judged:
    """How many tokens transformers would have chosen, too, how many are ties, and the positions of the others."""

    same: int
    ties: int
    others: tuple[int, ...]


def judge(deficits: Sequence[float]) -> Judged:
    """`deficits`: by how much transformers' own choice leads the served token at each position, in log-probability,
    which is as much as in logits."""
    same = sum(deficit == 0 for deficit in deficits)
    others = tuple(position for position, deficit in enumerate(deficits) if not deficit <= TIE)
    return Judged(same, len(deficits) - same - len(others), others)
