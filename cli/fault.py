"""`modelyard local fault add|list|clear|kinds|set`: makes the local stack's Azure go wrong, on purpose and to order.

Parses and prints; what a fault does is decided in `deploy.local.arm`.
"""

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

import yaml

from deploy.local.arm.control_client import Address, ControlClient, ControlFailed
from deploy.local.arm.faults import KINDS
from deploy.local.layout import INSTANCES

GOOD, NO, MISUSE = 0, 1, 2
NARROWED_BY = ("times", "pool", "method", "route", "variant", "seconds", "status", "nodes")


def add_parser(actions: Any) -> None:
    """Adds `fault` to the actions of `modelyard local`."""
    parser = actions.add_parser(
        "fault",
        help="make the Azure stand-in fail: quota, capacity, throttling, lost answers, broken nodes",
        description="Faults hold until they are used up (--times) or cleared. `kinds` says what each imitates.",
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    _add_add(verbs)
    _verb(verbs, "list", run_list, "the faults that are set").add_argument("--json", action="store_true")
    clear = _verb(verbs, "clear", run_clear, "forget one fault, or all of them")
    clear.add_argument("id", nargs="?", help="a fault's id, as `list` shows it (default: all)")
    kinds = verbs.add_parser("kinds", help="what can go wrong, and what it imitates")
    kinds.set_defaults(run=run_kinds)
    change = _verb(verbs, "set", run_set, "change delays, limits and quotas while the stand-in runs")
    change.add_argument(
        "setting",
        nargs="+",
        help="NAME=VALUE: create_seconds, delete_seconds, update_seconds, retry_after_seconds, pool_limit, "
        "family_limit, regional_limit, serialise_pools, family_limits={family: vCPUs}, ...",
    )


def run_add(args: argparse.Namespace) -> int:
    """0 when the fault is set, 1 when the stand-in did not take it."""

    def add(client: ControlClient) -> None:
        fault = client.add_fault(args.kind, **{name: getattr(args, name) for name in NARROWED_BY})
        print(f"{fault['id']}: {_described(fault)}")

    return _with_client(args, add)


def run_list(args: argparse.Namespace) -> int:
    def show(client: ControlClient) -> None:
        faults = client.faults()
        if args.json:
            print(json.dumps(faults, indent=2))
            return
        for fault in faults:
            print(f"{fault['id']}: {_described(fault)}")
        if not faults:
            print("no faults are set")

    return _with_client(args, show)


def run_clear(args: argparse.Namespace) -> int:
    def clear(client: ControlClient) -> None:
        print(f"cleared {client.clear_faults(args.id)}")

    return _with_client(args, clear)


def run_set(args: argparse.Namespace) -> int:
    """0 when the settings hold, 1 when the stand-in refused, 2 when one is not NAME=VALUE."""
    pairs = [setting.partition("=") for setting in args.setting]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        print(f"{', '.join(wrong)}: settings are written NAME=VALUE", file=sys.stderr)
        return MISUSE
    changes = {name: yaml.safe_load(value) for name, _, value in pairs}
    return _with_client(args, lambda client: print(json.dumps(client.change_settings(**changes))))


def run_kinds(args: argparse.Namespace) -> int:
    for name, kind in KINDS.items():
        print(f"{name}\n    {kind.imitates}")
    return GOOD


def _add_add(verbs: Any) -> None:
    parser = _verb(verbs, "add", run_add, "set a fault")
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--times", type=int, help="how often it strikes (default: until cleared)")
    parser.add_argument("--pool", metavar="PATTERN", help="agent pools it strikes, such as 'ws*' (default: all)")
    parser.add_argument("--method", help="HTTP method it strikes (default: what the kind is about)")
    parser.add_argument("--route", help="route it strikes: agentPool, operation, managedCluster, skus, ...")
    parser.add_argument("--variant", help="another form of the fault, see `kinds`")
    parser.add_argument("--seconds", type=float, help="its delay, or the Retry-After of throttled")
    parser.add_argument("--status", type=int, help="the status of server-error (default: 500)")
    parser.add_argument("--nodes", type=int, help="how many machines of the pool it strikes (default: all)")


def _verb(verbs: Any, name: str, run: Callable[[argparse.Namespace], int], summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=summary)
    parser.add_argument("--instance", choices=INSTANCES, default="demo", help="local stack (default: demo)")
    parser.set_defaults(run=run)
    return parser


def _with_client(args: argparse.Namespace, work: Callable[[ControlClient], None]) -> int:
    try:
        work(ControlClient(Address.of_instance(args.instance)))
    except ControlFailed as failed:
        print(failed, file=sys.stderr)
        return NO
    return GOOD


def _described(fault: dict[str, Any]) -> str:
    said = {name: fault[name] for name in NARROWED_BY if fault.get(name) not in (None, "", "*", 0)}
    if fault["kind"] != "server-error":
        said.pop("status", None)
    return " ".join([fault["kind"], *(f"{name}={value}" for name, value in said.items())])
