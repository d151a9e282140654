"""What a plan tells beside its numbers: warnings, what will be checked before buying, what is given back on failure."""

from api import names
from api.configs.inference import InferenceConfig
from api.workspace import Workspace
from presets.catalogue import Model
from presets.plan_document import Finding
from presets.plan_surroundings import Surroundings
from presets.skus import Sku


def remarks(workspace: Workspace, around: Surroundings, config: InferenceConfig | None) -> list[Finding]:
    """What is accepted, and may not do what its author expects."""
    found = []
    named = workspace.inference.config if workspace.inference else None
    if named and around.config_maps is None:
        message = f"ConfigMap '{named}' is not at hand: planned without it"
        found.append(Finding(reason="ConfigNotRead", path="inference.config", message=message))
    for path, message in config.warnings if config else ():
        found.append(Finding(reason="ConfigIgnored", path=f"inference.config: {path}", message=message))
    if workspace.count > 1 and workspace.inference and workspace.inference.preset:
        message = f"{workspace.count} replicas of the model, one on each node; KAITO ignores the count of a preset"
        found.append(Finding(reason="Replicas", path="resource.count", message=message))
    if workspace.resource and workspace.resource.partition and around.provider != "byo":
        message = "is for bring-your-own nodes, and is not acted on"
        found.append(Finding(reason="PartitionIgnored", path="resource.partition", message=message))
    if around.provider == "byo" and around.machine is None:
        message = "your nodes' GPUs are not known here: neither layout nor context is planned"
        found.append(Finding(reason="NodesUnknown", path="resource.labelSelector", message=message))
    return found


def preflight_checks(
    workspace: Workspace, around: Surroundings, sku: Sku | None, model: Model | None
) -> tuple[str, ...]:
    checks = []
    if sku and around.provider == "aks":
        checks = [
            f"SkuOffered: {sku.name} is offered to the subscription in {around.region}",
            f"VcpuQuota: {sku.vcpus * max(workspace.count, 0)} vCPUs of {sku.family} are left in {around.region}",
            "PoolLimit: the cluster may have one more node pool",
        ]
    if model:
        secret = workspace.inference.preset.access_secret if workspace.inference and workspace.inference.preset else ""
        token = f" with the token of Secret {secret}" if secret else ""
        checks.append(f"Model: {model.repo} can be read{token}; its commit is pinned and its files are counted")
    return tuple(checks)


def given_back(workspace: Workspace, around: Surroundings, count: int) -> tuple[str, ...]:
    """What is released when a pass fails, and when the Workspace is deleted."""
    pool = f" {names.pool_name(workspace.uid)}" if workspace.uid else ""
    noun = "node" if count == 1 else "nodes"
    kept = {
        "aks": f"node pool{pool} with {count} {noun}, until Azure says that it is gone",
        "karpenter": f"{count} NodeClaims and their nodes",
        "byo": "the GPUs reserved on your nodes; the nodes stay",
    }
    return (kept.get(around.provider, kept["aks"]), f"Deployment, Service and ConfigMap of {workspace.name}")
