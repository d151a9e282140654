"""Changes of workflow code are guarded in one place: by ids that tell them apart, asked through one helper."""

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import workflows
from workflows.patches import PATCHES, Patch, begins, patched

ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*-20[0-9]{2}-(0[1-9]|1[0-2])")
ROOM = Path(workflows.__path__[0])
OF_TEMPORAL = {"patched", "deprecate_patch"}


def problems(patches: Sequence[Patch]) -> list[str]:
    """What is wrong with a table of patches."""
    ids = [patch.id for patch in patches]
    found = [f"{name} is no id" for name in ids if not ID.fullmatch(name)]
    found += [f"{name} is there twice" for name in sorted({name for name in ids if ids.count(name) > 1})]
    return found + [f"{patch.id} does not say all" for patch in patches if not (patch.guards and patch.until)]


def patch_calls(source: str) -> list[str]:
    """Temporal's own words for patches that a module uses, as an attribute or by import."""
    nodes = list(ast.walk(ast.parse(source)))
    used = [node.attr for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) != "patches"]
    imported = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module == "temporalio.workflow"]
    return sorted(OF_TEMPORAL & {*used, *(alias.name for node in imported for alias in node.names)})


def test_the_table_is_sound() -> None:
    assert not problems(PATCHES)


@pytest.mark.parametrize(
    ("patches", "expected"),
    [
        pytest.param(["ask-providers-2026-11"], [], id="an id"),
        pytest.param(["Jobs are looked for"], ["Jobs are looked for is no id"], id="a sentence"),
        pytest.param(["ask-providers"], ["ask-providers is no id"], id="without a month"),
        pytest.param(["ask-2026-13"], ["ask-2026-13 is no id"], id="no such month"),
        pytest.param(["a-2026-11", "a-2026-11"], ["a-2026-11 is there twice"], id="twice"),
    ],
)
def test_a_table_that_is_not_is_found(patches: list[str], expected: list[str]) -> None:
    assert problems([Patch(name, guards="a call more", until="2027") for name in patches]) == expected


def test_a_patch_describes_what_it_guards_and_until_when() -> None:
    assert problems([Patch("a-2026-11", guards="", until="2027")]) == ["a-2026-11 does not say all"]


def test_an_id_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(KeyError, match="invented-2026-11"):
        patched("invented-2026-11")


def test_a_patch_begins_with_the_second_release_that_knows_it() -> None:
    known = Patch("a-2026-11", guards="a call more", until="2027")
    assert not begins("a-2026-11", [known])
    assert begins("a-2026-11", [Patch("b-2026-11", "another", "2027"), replace(known, begins=True)])
    assert not begins("a-2026-11", []), "of another release"


def test_no_workflow_bypasses_the_helper() -> None:
    files = {file.name: patch_calls(file.read_text()) for file in ROOM.rglob("*.py")}
    assert files.pop("patches.py") == ["patched"]
    assert {name: used for name, used in files.items() if used} == {}


@pytest.mark.parametrize(
    "source",
    ["from temporalio import workflow\nworkflow.patched('a')", "from temporalio.workflow import patched as ask"],
)
def test_a_module_that_does_is_found(source: str) -> None:
    assert patch_calls(source) == ["patched"]
