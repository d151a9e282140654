"""Where commands print tables: as wide as the terminal, and uncut where no terminal is."""

import sys
from typing import Final

from rich.console import Console

UNCUT: Final = 100_000
"""Characters of a line: more than any cell that is shown. A program or a file that reads a table wants all of it."""


def console(*, highlight: bool = False) -> Console:
    """Returns the console for standard output."""
    return Console(width=None if sys.stdout.isatty() else UNCUT, highlight=highlight)
