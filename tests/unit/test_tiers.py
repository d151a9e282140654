"""Every test belongs to exactly one tier, and `make test-all` leaves out nothing but chaos and GPUs."""

import re
from pathlib import Path
from typing import Final

import pytest

from tests.tiers import DESCRIPTIONS, PLACES, Tier, group_of, place_of, turn_of

ROOT: Final = Path(__file__).parents[2]
IDS: Final = [
    file.relative_to(ROOT).as_posix() + f"::{name}"
    for file in sorted((ROOT / "tests").rglob("test_*.py"))
    for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(), re.MULTILINE)
]


def tiers_of(target: str) -> set[Tier]:
    """What a target of the Makefile picks: the expression after `-m`, asked for each tier."""
    recipe = (ROOT / "Makefile").read_text().partition(f"\n{target}:")[2].partition("\n\n")[0]
    expression = re.findall(r'-m "([^"]+)"', recipe)
    assert len(expression) == 1
    words = re.findall(r"\w+", expression[0])
    assert set(words) <= {"or", *Tier}
    return {Tier(word) for word in words if word != "or"}


def test_each_target_adds_to_the_one_before_and_all_is_everything_but_chaos_and_gpus() -> None:
    check, test, everything, chaos = (tiers_of(target) for target in ("check", "test", "test-all", "chaos"))
    assert check < test < everything
    assert everything == set(Tier) - chaos - {Tier.GPU}
    assert chaos == {Tier.CHAOS}


def test_every_test_belongs_to_one_tier() -> None:
    assert len(IDS) > 1000
    assert {place_of(nodeid).tier for nodeid in IDS} == set(Tier)


def test_every_row_decides_for_some_test() -> None:
    assert [place for place in PLACES if not any(place_of(nodeid) is place for nodeid in IDS)] == []


def test_what_check_does_not_collect_is_not_fast() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\ncheck:")[2].partition("\n\n")[0]
    folders = tuple(f"{folder}/" for folder in re.findall(r"tests/\w+", recipe))
    assert [nodeid for nodeid in IDS if place_of(nodeid).tier is Tier.FAST and not nodeid.startswith(folders)] == []


def test_a_test_without_a_tier_is_an_error() -> None:
    with pytest.raises(LookupError, match="belongs to no tier"):
        place_of("tests/elsewhere/test_new.py::test_it")


def test_a_group_is_in_one_process_and_long_ones_come_first() -> None:
    assert group_of("tests/unit/cli/test_a.py::test_it[x]") == "tests/unit/cli/test_a.py"
    assert group_of("tests/e2e/test_main_job.py::test_it") == group_of("tests/e2e/test_trainings.py::test_it")
    assert turn_of("tests/e2e/test_main_job.py::test_it") == 0 < turn_of("tests/unit/cli/test_a.py::test_it")


def test_a_test_is_marked_with_its_tier_and_no_other(request: pytest.FixtureRequest) -> None:
    assert [mark.name for mark in request.node.iter_markers() if mark.name in DESCRIPTIONS] == ["fast"]
