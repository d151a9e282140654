"""How much work a hostile document makes, counted in calls: seconds would tell of the machine."""

import cProfile
import pstats
from typing import Any

import pytest

from api.resource.invalid import SUGGESTED_MAX
from api.validation.limits import VALUES_MAX
from presets.plan.judge import problems_on_create
from tests.unit.api.validation.conftest import Builder

MANY = 9000
CALLS_PER_VALUE = 40
"""Of Python functions, for each value of the document. Reading a document twice takes as many."""


def calls(document: dict[str, Any]) -> tuple[int, int]:
    """(all calls, comparisons of a name with known ones) that judging this document takes."""
    profile = cProfile.Profile()
    profile.runcall(problems_on_create, document)
    found: Any = pstats.Stats(profile)  # its table is not in its types
    compared = sum(counts[1] for (_, _, name), counts in found.stats.items() if name == "get_close_matches")
    return found.total_calls, compared


def unknown(count: int) -> dict[str, str]:
    return {f"unknown-field-{number}": "x" for number in range(count)}


@pytest.mark.parametrize("place", ["", "resource", "resource.labelSelector.matchLabels", "metadata.annotations"])
def test_thousands_of_unknown_names_cost_little_each(place: str, build: Builder) -> None:
    problems_on_create(build.serving())  # tables are read once
    document = inner = build.serving()
    for part in filter(None, place.split(".")):
        inner = inner[part]
    inner |= unknown(MANY)
    total, compared = calls(document)
    assert total < CALLS_PER_VALUE * MANY
    assert compared <= SUGGESTED_MAX + 2  # and the preset's and the machine's names, where they are unknown, too


def test_the_first_unknown_fields_come_with_what_was_meant(build: Builder) -> None:
    document = build.serving()
    document["resource"] |= {f"instanceTyp{letter}": "x" for letter in "abcdfghi"}
    found = [problem.message for problem in problems_on_create(document)]
    suggested = [message for message in found if "did you mean 'instanceType'?" in message]
    assert len(suggested) == SUGGESTED_MAX
    assert found.count("is not a known field") == 8 - SUGGESTED_MAX


def test_what_is_counted_here_is_within_the_limits() -> None:
    assert MANY < VALUES_MAX
