"""`modelyard plan -f FILE [--json] [--region R] [--provider P] [--policy FILE]`: what Workspaces buy and cost.

Reads, asks `presets.plan.planner` and prints. 0 when every Workspace can be carried out, 1 when one cannot, 2 when
there is no file or no Workspace in it. Nothing is looked up outside this machine, unless --hub names a hub to ask.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from api import labels
from api.policy.document import Policy
from api.providers import Provider
from cli.exit_codes import GOOD, MISUSE, NO
from cli.manifests import Manifest, ManifestUnreadable, read_manifests
from cli.plan_hub import asked_model, unlisted_model
from cli.plan_text import text_of
from cli.policy_file import PolicyUnreadable, read_policy
from presets.machines.machine import Machine
from presets.machines.skus import UnknownSku, find_sku
from presets.models.catalog import Model
from presets.plan.context import PlanContext
from presets.plan.document import Finding, PlanReport
from presets.plan.judge import plan_document, provider_of

CONFIG_MAP: Final = "ConfigMap"


def run(
    file: str,
    *,
    as_json: bool,
    region: str,
    provider: Provider,
    machine_type: str | None,
    hub: str | None,
    policy_file: str | None = None,
) -> int:
    """Plans and prints; returns the exit code."""
    try:
        policy = read_policy(policy_file)
        manifests = read_manifests(file, wanted=(labels.KIND, CONFIG_MAP))
        machine = Machine.of(find_sku(machine_type)) if machine_type else None
    except (ManifestUnreadable, UnknownSku, PolicyUnreadable) as error:
        print(error, file=sys.stderr)
        return MISUSE
    broken = [manifest for manifest in manifests if manifest.problem]
    for manifest in broken:
        print(f"{manifest.file}: document {manifest.number}: {manifest.problem}", file=sys.stderr)
    workspaces = [manifest for manifest in manifests if manifest.kind == labels.KIND and not manifest.problem]
    if not workspaces and not broken:
        print(f"there is no Workspace in {file}", file=sys.stderr)
        return MISUSE
    options = PlanOptions(region, provider, machine, hub, policy)
    plans = [_planned(workspace, manifests, options) for workspace in workspaces]
    print("\n".join(json.dumps(plan.wire(), indent=2) if as_json else text_of(plan) for plan in plans))
    return NO if broken or any(plan.errors for plan in plans) else GOOD


@dataclass(frozen=True)
class PlanOptions:
    """What the command line says of every Workspace."""

    region: str
    provider: Provider
    machine: Machine | None
    hub: str | None
    policy: Policy | None


def _planned(manifest: Manifest, manifests: Sequence[Manifest], options: PlanOptions) -> PlanReport:
    unlisted = unlisted_model(manifest.value) if options.hub else None
    found = asked_model(options.hub, *unlisted) if options.hub and unlisted else None
    context = PlanContext(
        region=options.region,
        provider=options.provider,
        config_maps=_config_maps(manifest, manifests),
        model=found if isinstance(found, Model) else None,
        machine=options.machine if provider_of(manifest.value, options.provider) == "byo" else None,
        policy=options.policy,
    )
    plan = plan_document(manifest.value, context)
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
