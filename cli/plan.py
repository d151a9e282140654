"""`modelyard plan -f FILE [--json] [--region R] [--provider P]`: what Workspaces would buy, hold and cost.

Reads, asks `presets.plan` and prints. 0 when every Workspace can be carried out, 1 when one cannot, 2 when there is no
file or no Workspace in it. Nothing is looked up outside this machine, unless --hub names a hub to ask.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from api import labels
from cli.manifests import Manifest, ManifestUnreadable, read_manifests
from cli.plan_hub import asked_model, unlisted_model
from cli.plan_text import text_of
from presets.catalogue import Model
from presets.plan import plan_document, who_brings
from presets.plan_document import Finding, PlanDocument
from presets.plan_surroundings import DEFAULT_REGION, PROVIDERS, Surroundings
from presets.sizing_machine import Machine
from presets.skus import UnknownSku, find_sku

GOOD, NO, MISUSE = 0, 1, 2
CONFIG_MAP: Final = "ConfigMap"


def add_parser(subparsers: Any) -> None:
    """Adds `plan` to the command."""
    parser = subparsers.add_parser(
        "plan",
        help="what a Workspace would buy, hold and cost, without a cluster or a cloud",
        description="Plans every Workspace in the file, with the ConfigMaps that stand beside it: machines, memory by "
        "part, context, price and time. Exit codes: 0 good, 1 a plan cannot be carried out, 2 misuse.",
    )
    parser.add_argument("-f", "--file", required=True, help="a manifest, or - for standard input")
    parser.add_argument("--json", action="store_true", help="print one JSON object for each Workspace")
    parser.add_argument("--region", default=DEFAULT_REGION, help=f"Azure region of the prices ({DEFAULT_REGION})")
    parser.add_argument("--provider", choices=PROVIDERS, default="aks", help="who brings the nodes (aks) if not said")
    parser.add_argument(
        "--machine", metavar="TYPE", help="with --provider byo: a machine type that your nodes are like"
    )
    parser.add_argument("--hub", metavar="URL", help="a hub to ask for models that the catalogue does not have")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Plans and prints; returns the exit code."""
    try:
        manifests = read_manifests(args.file, wanted=(labels.KIND, CONFIG_MAP))
        machine = Machine.of(find_sku(args.machine)) if args.machine else None
    except (ManifestUnreadable, UnknownSku) as error:
        print(error, file=sys.stderr)
        return MISUSE
    broken = [manifest for manifest in manifests if manifest.problem]
    for manifest in broken:
        print(f"{manifest.file}: document {manifest.number}: {manifest.problem}", file=sys.stderr)
    workspaces = [manifest for manifest in manifests if manifest.kind == labels.KIND and not manifest.problem]
    if not workspaces and not broken:
        print(f"there is no Workspace in {args.file}", file=sys.stderr)
        return MISUSE
    plans = [_planned(workspace, manifests, args, machine) for workspace in workspaces]
    print("\n".join(json.dumps(plan.wire(), indent=2) if args.json else text_of(plan) for plan in plans))
    return NO if broken or any(plan.errors for plan in plans) else GOOD


def _planned(
    manifest: Manifest, manifests: Sequence[Manifest], args: argparse.Namespace, machine: Machine | None
) -> PlanDocument:
    unlisted = unlisted_model(manifest.value) if args.hub else None
    found = asked_model(args.hub, *unlisted) if unlisted else None
    around = Surroundings(
        region=args.region,
        provider=args.provider,
        config_maps=_config_maps(manifest, manifests),
        model=found if isinstance(found, Model) else None,
        machine=machine if who_brings(manifest.value, args.provider) == "byo" else None,
    )
    plan = plan_document(manifest.value, around)
    return plan.model_copy(update={"errors": (found,)}) if isinstance(found, Finding) else plan


def _config_maps(workspace: Manifest, manifests: Sequence[Manifest]) -> dict[str, Any] | None:
    """Those of the Workspace's namespace; None when the one that it names is not in the file but may be stored."""
    namespace = _metadata(workspace, "namespace") or "default"
    there = {
        _metadata(manifest, "name"): manifest.value
        for manifest in manifests
        if manifest.kind == CONFIG_MAP and (_metadata(manifest, "namespace") or "default") == namespace
    }
    sections = (workspace.value.get("inference"), workspace.value.get("tuning"))
    named = [section.get("config") for section in sections if isinstance(section, Mapping)]
    return None if any(name and name not in there for name in named) else there


def _metadata(manifest: Manifest, key: str) -> str:
    metadata = manifest.value.get("metadata") if isinstance(manifest.value, Mapping) else None
    found = metadata.get(key) if isinstance(metadata, Mapping) else None
    return found if isinstance(found, str) else ""
