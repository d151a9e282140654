"""How long tests wait: for what must come, and, in stacks that faults strike, for a step.

A wait ends as soon as what it waits for is there, so a deadline costs nothing but in a test that fails. None says how
quick anything is: `bench` measures that.
"""

from typing import Final

PATIENCE_S: Final = 180.0
"""For one thing that must come, on a machine that does three other things at once."""

DEADLINES: Final = '{"provision": 120, "nodes": 120, "model": 90, "serving": 120, "verify": 90}'
"""The workers' setting `MODELYARD_DEADLINES`, in seconds: longer than a lost worker takes to be noticed (20 s), shorter
than anybody wants to wait for a test."""
