"""`modelyard local up|prepare|down|status|fault`: the local stack from the command line.

Parses, calls `deploy.local`, and says in exit codes what came of it. What the stack is made of is decided there.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from cli import fault
from deploy.local.choices import KubeconfigUnusable, OtherCluster
from deploy.local.down import take_down
from deploy.local.layout import INSTANCES
from deploy.local.preparing import prepare
from deploy.local.status import look
from deploy.local.status_table import print_status
from deploy.local.steps import StepFailed
from deploy.local.up import bring_up

GOOD, NO, MISUSE = 0, 1, 2
PIPE_WIDTH = 200


def add_parser(subparsers: Any) -> None:
    """Adds `local` and what it can do."""
    parser = subparsers.add_parser(
        "local",
        help="a whole stack on this machine: Kubernetes, Temporal, registry, Azure stand-in, Modelyard",
        description="Runs everything that Modelyard needs on this Linux machine, without a cloud, a GPU or a container "
        "engine. Caches live in ${XDG_CACHE_HOME:-~/.cache}/modelyard, the state of an instance in "
        "${MODELYARD_HOME:-~/.local/state/modelyard}/INSTANCE.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_up(actions)
    _add_prepare(actions)
    _add_down(actions)
    _add_status(actions)
    fault.add_parser(actions)


def run_up(args: argparse.Namespace) -> int:
    """0 when everything runs, 1 when a step failed, 2 when what was asked for cannot be."""
    try:
        took = bring_up(args.instance, args.kubeconfig)
    except StepFailed as failure:
        # The display has said why; this is where people look last.
        print(
            f"\n'{failure.step.name}' failed. `modelyard local up` goes on from here once it is mended.",
            file=sys.stderr,
        )
        return NO
    except (KubeconfigUnusable, OtherCluster) as misuse:
        print(misuse, file=sys.stderr)
        return MISUSE
    except KeyboardInterrupt:
        return _interrupted(args)
    print(f"\nUp: {len(took)} steps. `modelyard local status{_instance(args)}` shows what runs and where.")
    return GOOD


def run_prepare(args: argparse.Namespace) -> int:
    """0 when everything that takes long is made, 1 when a step failed."""
    try:
        prepare(args.instance)
    except StepFailed as failure:
        print(f"\n'{failure.step.name}' failed. `modelyard local prepare` goes on from here.", file=sys.stderr)
        return NO
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on.", file=sys.stderr)
        return NO
    return GOOD


def run_down(args: argparse.Namespace) -> int:
    """0 when nothing of the instance is left, 1 when a step failed."""
    try:
        take_down(args.instance, purge=args.purge)
    except StepFailed as failure:
        print(f"\n'{failure.step.name}' failed; what is left can be taken down by the same command.", file=sys.stderr)
        return NO
    except KeyboardInterrupt:
        return _interrupted(args)
    return GOOD


def run_status(args: argparse.Namespace) -> int:
    """0 when everything that should run is ready, 1 when something is not or the instance is down."""
    status = look(args.instance)
    if args.json:
        print(json.dumps(status.as_json(), indent=2))
    else:
        # Into a pipe nothing is cut to the width of a terminal that is not there.
        print_status(status, Console(width=None if sys.stdout.isatty() else PIPE_WIDTH))
    return GOOD if status.well else NO


def _add_up(actions: Any) -> None:
    parser = actions.add_parser(
        "up",
        help="start what is not running; repairs a half-started stack",
        description="Starts what is not running, so it also repairs and completes. With --kubeconfig it uses that "
        "cluster and starts only what it lacks: Temporal, the Azure stand-in (whose nodes are then Node objects "
        "without machines), and Modelyard's processes; no control plane, nodes, registry or model mirror.",
    )
    _add_instance(parser)
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="use this cluster instead of making one")
    parser.set_defaults(run=run_up)


def _add_prepare(actions: Any) -> None:
    parser = actions.add_parser(
        "prepare",
        help="make what takes minutes the first time, and start nothing",
        description="Installs system packages, builds the Kubernetes programs, the images, the runtime environment "
        "and the models, into the caches. `up` does the same when it has to; tests want it done before.",
    )
    _add_instance(parser)
    parser.set_defaults(run=run_prepare)


def _add_down(actions: Any) -> None:
    parser = actions.add_parser(
        "down",
        help="stop everything of an instance; its state and the caches stay",
        description="Stops every process, node and network part of an instance. Its state stays, so that `up` goes "
        "on where it stopped; caches always stay.",
    )
    _add_instance(parser)
    parser.add_argument("--purge", action="store_true", help="delete the instance's state as well")
    parser.set_defaults(run=run_down)


def _add_status(actions: Any) -> None:
    parser = actions.add_parser("status", help="what runs, where, since when, and its log")
    _add_instance(parser)
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run_status)


def _add_instance(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--instance", choices=INSTANCES, default="demo", help="several stacks can run beside each other (default: demo)"
    )


def _interrupted(args: argparse.Namespace) -> int:
    which = _instance(args)
    print(
        f"\nInterrupted. `modelyard local up{which}` goes on, `modelyard local down{which}` cleans up.", file=sys.stderr
    )
    return NO


def _instance(args: argparse.Namespace) -> str:
    return "" if args.instance == "demo" else f" --instance {args.instance}"
