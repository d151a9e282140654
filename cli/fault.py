"""`modelyard local fault add|list|clear|kinds|set`: makes the local stack's Azure go wrong, on purpose and to order.

Calls and prints; what a fault does is decided in `deploy.local.azure`.
"""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml

from cli.exit_codes import GOOD, MISUSE, NO
from deploy.local.azure.control_client import Address, ControlClient, ControlFailed
from deploy.local.azure.faults import KINDS

NARROWED_BY = ("times", "pool", "method", "route", "variant", "seconds", "status", "nodes")


def run_add(instance: str, kind: str, narrowed: Mapping[str, Any]) -> int:
    """0 when the fault is set, 1 when the ARM emulator did not take it."""

    def add(client: ControlClient) -> None:
        fault = client.add_fault(kind, **narrowed)
        print(f"{fault['id']}: {_described(fault)}")

    return _with_client(instance, add)


def run_list(instance: str, *, as_json: bool) -> int:
    def show(client: ControlClient) -> None:
        faults = client.faults()
        if as_json:
            print(json.dumps(faults, indent=2))
            return
        for fault in faults:
            print(f"{fault['id']}: {_described(fault)}")
        if not faults:
            print("no faults are set")

    return _with_client(instance, show)


def run_clear(instance: str, fault_id: str | None) -> int:
    def clear(client: ControlClient) -> None:
        print(f"cleared {client.clear_faults(fault_id)}")

    return _with_client(instance, clear)


def run_set(instance: str, settings: Sequence[str]) -> int:
    """0 when the settings hold, 1 when the ARM emulator refused, 2 when one is not NAME=VALUE."""
    pairs = [setting.partition("=") for setting in settings]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        print(f"{', '.join(wrong)}: settings are written NAME=VALUE", file=sys.stderr)
        return MISUSE
    changes = {name: yaml.safe_load(value) for name, _, value in pairs}
    return _with_client(instance, lambda client: print(json.dumps(client.change_settings(**changes))))


def run_kinds() -> int:
    for name, kind in KINDS.items():
        print(f"{name}\n    {kind.imitates}")
    return GOOD


def _with_client(instance: str, work: Callable[[ControlClient], None]) -> int:
    try:
        work(ControlClient(Address.of_instance(instance)))
    except ControlFailed as failed:
        print(failed, file=sys.stderr)
        return NO
    return GOOD


def _described(fault: dict[str, Any]) -> str:
    settings = {name: fault[name] for name in NARROWED_BY if fault.get(name) not in (None, "", "*", 0)}
    if fault["kind"] != "server-error":
        settings.pop("status", None)
    return " ".join([fault["kind"], *(f"{name}={value}" for name, value in settings.items())])
