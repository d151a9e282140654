"""Prints how much of each top-level folder the tests went through, from the JSON report of `coverage`.

`python -m tests.coverage_by_folder REPORT`. What is measured, and what is left out, is in pyproject.toml.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Counts:
    """Statements and branches, those run and all of them."""

    lines_run: int = 0
    lines: int = 0
    branches_run: int = 0
    branches: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.lines_run + other.lines_run,
            self.lines + other.lines,
            self.branches_run + other.branches_run,
            self.branches + other.branches,
        )


def by_folder(files: Mapping[str, Mapping[str, Any]]) -> dict[str, Counts]:
    """The sum of the files of each top-level folder, by the folder's name."""
    found: dict[str, Counts] = {}
    for path, file in files.items():
        folder, summary = Path(path).parts[0], file["summary"]
        found[folder] = found.get(folder, Counts()) + Counts(
            summary["covered_lines"], summary["num_statements"], summary["covered_branches"], summary["num_branches"]
        )
    return dict(sorted(found.items()))


def table(folders: Mapping[str, Counts]) -> str:
    """A line for each folder and one for all of them."""
    rows = [*folders.items(), ("all", sum(folders.values(), Counts()))]
    head = f"{'folder':<12} {'lines':>7} {'run':>7} {'branches':>9} {'run':>7}"
    return "\n".join([head, *(_row(name, counts) for name, counts in rows)])


def _row(name: str, counts: Counts) -> str:
    return (
        f"{name:<12} {counts.lines:>7} {_share(counts.lines_run, counts.lines):>7} "
        f"{counts.branches:>9} {_share(counts.branches_run, counts.branches):>7}"
    )


def _share(run: int, of: int) -> str:
    return f"{100 * run / of:.1f} %" if of else "-"


if __name__ == "__main__":
    print(table(by_folder(json.loads(Path(sys.argv[1]).read_text())["files"])))
