"""The `modelyard` command: finds the subcommand and turns its answer into an exit code.

Exit codes: 0 good, 1 the answer is no (or it failed), 2 misuse. What a subcommand does is in `cli/<command>.py`, each
with `add_parser(subparsers)`, which sets `run` as the default to call.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from cli import demo, local, plan, status, sweep, validate
from workflows.leaving import leave

# Each subcommand is a module with `add_parser`.
COMMANDS = (local, demo, plan, validate, status, sweep)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code; argparse exits with 2 on misuse."""
    args = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = args.run
    return run(args)


def entry() -> NoReturn:
    """What the installed command calls: the process ends with the exit code."""
    leave(main())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="modelyard",
        description="Model lifecycles on Kubernetes: KAITO Workspaces as durable workflows.",
        epilog="Exit codes: 0 good, 1 the answer is no, 2 misuse.",
    )
    subparsers: Any = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


if __name__ == "__main__":
    entry()
