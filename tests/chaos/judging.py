"""What became of an injection, from what was counted afterwards. Pure: who counts is `counting.py`.

leaked: a pool, node, object, Workspace or workflow is left after the delete. stuck: not as wanted within its deadline,
or said to be so while it is not. doubled: bought twice, or two of what there should be one of.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Verdict = Literal["leaked", "stuck", "doubled"]
VERDICTS: Final[tuple[Verdict, ...]] = ("leaked", "stuck", "doubled")
Goal = Literal["ready", "restored", "gone", "failed"]
FIRST: Final = 1
"""The generation that serves before a bad edit, and has to afterwards."""
COPIES: Final[Mapping[Goal, Mapping[str, int]]] = {
    "ready": {"Deployment": 1, "Service": 1, "Node": 1, "pool": 1},
    "restored": {"Deployment": 1, "Service": 1, "Node": 1, "pool": 1},
    "failed": {"Deployment": 0, "Service": 0, "Node": 0, "pool": 0},
    "gone": {"Deployment": 0, "Service": 0, "Node": 0, "pool": 0},
}
"""What there is of a one-node Workspace that has arrived."""


@dataclass(frozen=True)
class Injection:
    """One fault that struck one Workspace in one step, and where that Workspace is to arrive all the same."""

    step: str
    fault: str
    goal: Goal = "ready"
    purchases: int = 1


@dataclass(frozen=True)
class Evidence:
    """What was counted. Seconds are from the strike, and from the delete; None: not within the deadline.

    `copies` is by kind when the Workspace had arrived, `generations` what is wanted and what the Deployment serves,
    `runs` the workflow's executions in all, `left` what was there when everything should have been gone.
    """

    arrived_s: float | None = 0.0
    gone_s: float | None = 0.0
    copies: Mapping[str, int] = field(default_factory=dict)
    generations: tuple[int, int] = (1, 1)
    purchases: int = 1
    runs: int = 1
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """An injection and what is wrong, in words by verdict; nothing is wrong when there are none."""

    injection: Injection
    seconds: float | None
    wrong: Mapping[Verdict, str]


def judged(injection: Injection, evidence: Evidence) -> Outcome:
    """Every verdict that holds: a Workspace can be stuck, leave something over and have been bought twice."""
    found = {
        "leaked": list(evidence.left),
        "stuck": list(_stuck(injection, evidence)),
        "doubled": list(_doubled(injection, evidence)),
    }
    wrong: dict[Verdict, str] = {verdict: "; ".join(found[verdict]) for verdict in VERDICTS if found[verdict]}
    return Outcome(injection, evidence.arrived_s, wrong)


def _stuck(injection: Injection, evidence: Evidence) -> Iterable[str]:
    if evidence.arrived_s is None:
        yield f"never {injection.goal}"
    else:
        for kind, wanted in COPIES[injection.goal].items():
            if evidence.copies.get(kind, 0) < wanted:
                yield f"{injection.goal} without a {kind}"
        wanted_generation, served = evidence.generations
        if injection.goal == "ready" and served != wanted_generation:
            yield f"ready with generation {served} of {wanted_generation}"
        if injection.goal == "restored" and served != FIRST:
            yield f"generation {served} was put back, not {FIRST}"
    if evidence.gone_s is None:
        yield "never gone"


def _doubled(injection: Injection, evidence: Evidence) -> Iterable[str]:
    if evidence.purchases > injection.purchases:
        yield f"bought {evidence.purchases} times, not {injection.purchases}"
    if evidence.runs > 1:
        yield f"{evidence.runs} workflows"
    if evidence.arrived_s is None:
        return
    for kind, wanted in COPIES[injection.goal].items():
        if evidence.copies.get(kind, 0) > wanted:
            yield f"{injection.goal} with {evidence.copies[kind]} of {kind}, not {wanted}"


def last_line(outcomes: Iterable[Outcome]) -> str:
    """`leaked 0 of 154, stuck 0 of 154, doubled 0 of 154`."""
    known = list(outcomes)
    counts = {verdict: sum(verdict in one.wrong for one in known) for verdict in VERDICTS}
    return ", ".join(f"{verdict} {count} of {len(known)}" for verdict, count in counts.items())
