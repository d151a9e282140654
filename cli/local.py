"""`modelyard local up|prepare|down|status`: the local stack from the command line.

Calls `deploy.local`, and says in exit codes what came of it. What the stack is made of is decided there.
"""

import json
import sys
from pathlib import Path

from cli.console import console
from cli.exit_codes import GOOD, MISUSE, NO
from deploy.local.stack.choices import KubeconfigUnusable, OtherCluster
from deploy.local.stack.down import take_down
from deploy.local.stack.prepare import prepare
from deploy.local.stack.runner import StepFailed
from deploy.local.stack.status import read_status
from deploy.local.stack.status_table import print_status
from deploy.local.stack.up import bring_up


def run_up(instance: str, kubeconfig: Path | None) -> int:
    """0 when everything runs, 1 when a step failed, 2 when what was asked for cannot be."""
    try:
        took = bring_up(instance, kubeconfig)
    except StepFailed as failure:
        # The display has said why; this is where people look last.
        print(
            f"\n'{failure.step.name}' failed. Fix the cause and run `modelyard local up` again: it resumes here.",
            file=sys.stderr,
        )
        return NO
    except (KubeconfigUnusable, OtherCluster) as misuse:
        print(misuse, file=sys.stderr)
        return MISUSE
    except KeyboardInterrupt:
        return _interrupted(instance)
    print(f"\nUp: {len(took)} steps. `modelyard local status{option_of(instance)}` shows what runs and where.")
    return GOOD


def run_prepare(instance: str) -> int:
    """0 when everything that takes long is made, 1 when a step failed."""
    try:
        prepare(instance)
    except StepFailed as failure:
        print(f"\n'{failure.step.name}' failed. Run `modelyard local prepare` again: it resumes here.", file=sys.stderr)
        return NO
    except KeyboardInterrupt:
        print("\nInterrupted. The same command resumes.", file=sys.stderr)
        return NO
    return GOOD


def run_down(instance: str, *, purge: bool) -> int:
    """0 when nothing of the instance is left, 1 when a step failed."""
    try:
        take_down(instance, purge=purge)
    except StepFailed as failure:
        print(f"\n'{failure.step.name}' failed. Run the same command again to take down the rest.", file=sys.stderr)
        return NO
    except KeyboardInterrupt:
        return _interrupted(instance)
    return GOOD


def run_status(instance: str, *, as_json: bool) -> int:
    """0 when everything that should run is ready, 1 when something is not or the instance is down."""
    status = read_status(instance)
    if as_json:
        print(json.dumps(status.as_json(), indent=2))
    else:
        # Into a pipe nothing is cut to the width of a terminal that is not there.
        print_status(status, console(highlight=True))
    return GOOD if status.well else NO


def _interrupted(instance: str) -> int:
    which = option_of(instance)
    print(
        f"\nInterrupted. `modelyard local up{which}` resumes, `modelyard local down{which}` cleans up.", file=sys.stderr
    )
    return NO


def option_of(instance: str) -> str:
    """The option that a command needs to mean this instance; empty for the default."""
    return "" if instance == "demo" else f" --instance {instance}"
