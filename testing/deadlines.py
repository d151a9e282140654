"""Deadlines of tests: for an expected event and, in stacks with injected faults, for a step.

A wait ends as soon as its condition holds, so a deadline costs nothing except in a failing test. None asserts how
fast anything is: `bench` measures that.
"""

from typing import Final

PATIENCE_S: Final = 180.0
"""For one expected event, on a machine that does three other things at once."""

DEADLINES: Final = '{"provision": 120, "nodes": 120, "model": 90, "serving": 120, "verify": 90}'
"""The workers' setting `MODELYARD_DEADLINES`, in seconds: longer than a lost worker takes to be noticed (20 s), short
enough for a test."""
