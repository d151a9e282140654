"""Each test that docs/security.md names for an attack is one that there is."""

import re
from pathlib import Path

from deploy.local.layout import REPOSITORY

PAGE = REPOSITORY / "docs" / "security.md"
TESTS = REPOSITORY / "tests"


def defined(folder: Path) -> set[str]:
    return {name for file in folder.rglob("test_*.py") for name in re.findall(r"def (test_\w+)", file.read_text())}


def test_every_attack_has_a_test() -> None:
    table = PAGE.read_text().partition("## Attacks and their tests")[2]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    named = {name for row in rows for name in re.findall(r"`(test_\w+)`", row)}
    assert len(rows) >= 20
    assert [row for row in rows if not re.search(r"`test_\w+`", row)] == []
    assert named - defined(TESTS) == set()
