"""Brings a local stack up: checks and stores the options, runs the steps with a progress display.

`graph.py` defines the steps. Every step ensures its part, so the same command starts, repairs and completes a stack.
"""

import sys
from pathlib import Path
from typing import TextIO

from deploy.local.host.commands import stop_commands
from deploy.local.stack.choices import choose, remember
from deploy.local.stack.graph import steps_of
from deploy.local.stack.progress import progress_for
from deploy.local.stack.runner import run_steps


def bring_up(
    instance: str, kubeconfig: Path | None = None, stream: TextIO = sys.stdout, *, tuning: bool = True
) -> dict[str, float]:
    """Ensures that everything of an instance runs; returns the seconds that each step took.

    With `tuning` it also builds the images used only by training.

    Raises StepFailed (after showing it), KubeconfigUnusable, OtherCluster, and passes an interrupt on; after any of
    them the instance can be brought up again or down.
    """
    choices = choose(instance, kubeconfig)
    layout = choices.layout(instance)
    remember(layout, choices)
    steps = steps_of(layout, choices, tuning=tuning)
    with progress_for(steps, stream) as display:
        return run_steps(steps, display, stop_commands=stop_commands)
