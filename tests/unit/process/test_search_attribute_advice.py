"""The commands that make search attributes: what is logged is complete, and what the documentation has."""

from pathlib import Path
from typing import Final

from process.connection.search_attributes import advice
from workflows.status.search_attributes import ALL, GENERATION

PAGE: Final = Path(__file__).parents[3] / "docs/temporal.md"


def test_only_what_is_missing_is_made() -> None:
    said = advice("team.a1b2c", [GENERATION])
    assert "operator search-attribute create --namespace team.a1b2c --name WorkspaceGeneration --type Int`" in said
    assert "search-attributes add --namespace team.a1b2c --search-attribute WorkspaceGeneration=Int`" in said
    assert "WorkspacePhase" not in said


def test_the_documentation_has_the_same_commands() -> None:
    page = " ".join(PAGE.read_text().replace("\\\n", " ").split())
    own, cloud = advice("modelyard", ALL), advice("modelyard.ACCOUNT", ALL)
    for command in own.partition("`")[2].partition("`")[0].split(" && "):
        assert f"$ {command} " in page
    assert f"$ tcld{cloud.rpartition('`tcld')[2].rstrip('`')} " in page
