"""What the exit code of `modelyard` says."""

from typing import Final

GOOD: Final = 0
NO: Final = 1
"""The answer is no, or the command failed."""
MISUSE: Final = 2
"""The command line cannot be carried out as it was given."""
