"""The report: one JSON document for programs, and tables in Markdown for people. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bench.gpu.figures import PAIRS, QUANTITIES, Compared
from bench.gpu.parts.running import Outcome
from bench.gpu.plan import Held

SHOWN: Final = 160
"""Characters of a reason in the table; all of it is in the document."""


@dataclass(frozen=True)
class Report:
    """`where` are facts of device, model and packages, as text by name."""

    where: Mapping[str, str]
    outcomes: Sequence[Outcome]
    compared: Sequence[Compared]
    held: Sequence[Held]

    @property
    def problems(self) -> list[str]:
        """One sentence for each part that is not done, each goal that was missed, each plan that did not hold."""
        found = [
            f"{one.part} {one.state}: {_short(one.reason) if one.state == 'failed' else one.reason}"
            for one in self.outcomes
            if one.state != "done"
        ]
        found += [
            f"{one.part}: {_label(one.quantity)}: {one.ours:.4g} of ours, {one.plain:.4g} of {PAIRS[one.part]}, goal "
            f"{one.goal:g} times"
            for one in self.compared
            if one.ok is False
        ]
        found += [
            f"{one.planned.part}: {_label(one.planned.quantity)} is {one.measured:.4g}, planned was "
            f"{one.planned.limit} {one.planned.value:.4g}"
            for one in self.held
            if not one.ok
        ]
        return found

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "where": dict(self.where),
            "parts": [outcome_document(one) for one in self.outcomes],
            "compared": [
                {"part": one.part, "quantity": one.quantity, "ours": one.ours, "plain": one.plain, "ratio": one.ratio,
                 "goal": one.goal, "ok": one.ok}
                for one in self.compared
            ],
            "plan": [
                {"part": one.planned.part, "quantity": one.planned.quantity, "limit": one.planned.limit,
                 "planned": one.planned.value, "measured": one.measured, "ok": one.ok}
                for one in self.held
            ],
            "problems": self.problems,
        }  # fmt: skip

    def tables(self) -> str:
        """Markdown, as docs/performance.md has it."""
        blocks = [
            _table(("where", ""), self.where.items()),
            _table(("part", "outcome", "seconds"), map(_outcome_row, self.outcomes)),
            _table(("part", "quantity", "ours", "plain", "times", "goal"), map(_compared_row, self.compared)),
            _table(("part", "quantity", "measured"), self._alone()),
            _table(("part", "quantity", "planned", "measured", "held"), map(_held_row, self.held)),
        ]
        return "\n\n".join(block for block in blocks if block)

    def _alone(self) -> Iterator[tuple[str, ...]]:
        """Figures that are compared with nothing."""
        compared = {(one.part, one.quantity) for one in self.compared}
        compared |= {(PAIRS[part], quantity) for part, quantity in compared}
        compared |= {(one.planned.part, one.planned.quantity) for one in self.held}
        for outcome in self.outcomes:
            for name, value in outcome.figures.items():
                if (outcome.part, name) not in compared:
                    yield outcome.part, _label(name), f"{value:.4g}"


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """One part's line of JSON."""
    fields: dict[str, Any] = {"part": outcome.part, "state": outcome.state, "seconds": round(outcome.seconds, 1)}
    fields |= {"reason": outcome.reason} if outcome.reason else {}
    return fields | {"figures": {name: round(value, 4) for name, value in outcome.figures.items()}}


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *lines]) if lines else ""


def _outcome_row(one: Outcome) -> tuple[str, ...]:
    return one.part, f"{one.state}: {_short(one.reason)}" if one.reason else one.state, f"{one.seconds:.0f}"


def _compared_row(one: Compared) -> tuple[str, ...]:
    ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
    goal = "" if one.goal is None else f"{one.goal:g}, {'met' if one.ok else 'missed'}"
    return one.part, _label(one.quantity), f"{one.ours:.4g}", f"{one.plain:.4g}", ratio, goal


def _held_row(one: Held) -> tuple[str, ...]:
    planned = one.planned
    figures = f"{planned.limit} {planned.value:.4g}", f"{one.measured:.4g}"
    return planned.part, _label(planned.quantity), *figures, "yes" if one.ok else "no"


def _label(name: str) -> str:
    quantity = QUANTITIES[name]
    return f"{quantity.label}, {quantity.unit}" if quantity.unit else quantity.label


def _short(text: str) -> str:
    """On one line: the beginning of a cause, and the end, where a program's last output is."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN // 2]} ... {line[-SHOWN // 2 :]}"
