"""A plan's texts beside its numbers: warnings, checks before buying, and what is released on failure."""

from collections.abc import Iterator

from api import labels, names
from api.configs.inference import InferenceConfig
from api.pods.serve import SERVE_PORT
from api.pods.template import TemplateNeeds
from api.preflight import QUESTIONS, CheckName
from api.purchasing import SPOT_QUOTA, purchase_options
from api.resource.workspace import Workspace
from api.validation.document import Part
from presets.admission.templates import WHERE
from presets.machines.skus import Sku
from presets.models.catalog import Model
from presets.plan.checks import price_limit, storage_classes
from presets.plan.context import PlanContext
from presets.plan.document import Finding


def remarks(
    workspace: Workspace,
    context: PlanContext,
    sku: Sku | None = None,
) -> list[Finding]:
    """Warnings of what needs the plan; `judge.notes` has those of the document and of the ConfigMap."""
    found = []
    section = workspace.inference or workspace.tuning
    named = section.config if section else None
    where = "inference.config" if workspace.inference else "tuning.config"
    if named and context.config_maps is None:
        message = f"ConfigMap '{named}' is not available: the plan does not include its settings"
        found.append(Finding(reason="ConfigNotRead", path=where, message=message))
    most, price = price_limit(workspace), sku.price(context.region) if sku else None
    if most is not None and price is not None and price * workspace.replicas > most:
        message = f"${price * workspace.replicas:.2f} per hour is more than the ${most:.2f} that are allowed"
        found.append(Finding(reason="PriceAboveLimit", path=f"annotation {labels.MAX_PRICE_PER_HOUR}", message=message))
    needs = context.needs
    if context.provider == "byo" and context.machine is None and needs is None:
        message = "your nodes' GPUs are not known here: neither layout nor context is planned"
        found.append(Finding(reason="NodesUnknown", path="resource.labelSelector", message=message))
    return [*found, *(of_template(needs, sku) if needs else ())]


def of_template(needs: TemplateNeeds, sku: Sku | None) -> Iterator[Finding]:
    """What a template leaves unsaid, and what is done then. `sku` is the machine that is bought, if it is known."""
    path = f"{WHERE}.containers"
    if sku and sku.gpus > needs.gpus and not needs.other_gpus:
        some = f"asks for {needs.gpus} of the {sku.gpus} GPUs of {sku.name}"
        none = f"asks for no GPU, and {sku.name} has {sku.gpus}"
        message = f"its pod {some if needs.gpus else none}: write as many as it uses into {labels.GPU_RESOURCE} of its "
        yield Finding(reason="IdleGpus", path=path, message=f"{message}limits, or choose a smaller machine")
    if not needs.declared:
        message = f"no container declares a TCP port: the Service sends to {needs.port}, where the server has to listen"
        yield Finding(reason="TemplatePort", path=path, message=message)
    elif needs.port != SERVE_PORT:
        message = f"the Service sends to port {needs.port} of container {needs.server}; KAITO's sends to {SERVE_PORT}"
        yield Finding(reason="TemplatePort", path=path, message=message)
    if not needs.probed:
        message = (
            f"container {needs.server} has no readinessProbe: it is ready when port {needs.port} takes connections"
        )
        yield Finding(reason="TemplateProbe", path=path, message=message)


def room_for_adapters(workspace: Workspace, model: Model, config: InferenceConfig | None) -> list[Finding]:
    """Where vLLM takes more memory for adapters than was reckoned with: for those of experts, unless it is told which
    modules adapters have (vLLM 0.32, lora/layers/fused_moe.py and lora/model_manager.py)."""
    adapters = workspace.inference.adapters if workspace.inference else None
    if not (adapters and model.experts) or (config and config.vllm.get("lora-target-modules")):
        return []
    message = (
        "vLLM reserves memory for adapters of every expert, which this plan does not count: name your adapters' "
        "modules as lora-target-modules in inference_config.yaml, for instance [q_proj, v_proj]"
    )
    return [Finding(reason="ExpertsNotReckoned", path="inference.adapters", message=message)]


def preflight_checks(
    workspace: Workspace, context: PlanContext, sku: Sku | None, model: Model | None
) -> tuple[str, ...]:
    """The checks that run before nodes are bought, by name, each with what it queries for this plan."""
    return tuple(f"{name}: {what}" for name, what in _checks(workspace, context, sku, model))


def _checks(
    workspace: Workspace, context: PlanContext, sku: Sku | None, model: Model | None
) -> Iterator[tuple[CheckName, str]]:
    if sku and context.provider == "aks":
        family = SPOT_QUOTA if _spot_first(workspace, sku) else sku.family
        vcpus = f"{sku.vcpus * workspace.replicas} vCPUs of {family}"
        yield CheckName.SKU_OFFERED, f"{sku.name} is offered to the subscription in {context.region}"
        yield CheckName.VCPU_QUOTA, f"{vcpus} are left in {context.region}"
        yield CheckName.POOL_LIMIT, QUESTIONS[CheckName.POOL_LIMIT]
    if context.provider == "karpenter":
        yield CheckName.NODE_CLAIMS, QUESTIONS[CheckName.NODE_CLAIMS]
    if sku and sku.gpus and context.provider != "byo" and (context.needs is None or context.needs.gpus):
        yield CheckName.GPUS_OFFERED, QUESTIONS[CheckName.GPUS_OFFERED]
    if context.provider == "byo":
        yield CheckName.FREE_GPUS, QUESTIONS[CheckName.FREE_GPUS]
    if sku and (most := price_limit(workspace)) is not None:
        yield CheckName.PRICE_LIMIT, f"all nodes together cost at most ${most:.2f} per hour at list price"
    if model:
        section = workspace.inference or workspace.tuning
        secret = section.preset.access_secret if section and section.preset else ""
        token = f" with the token of Secret {secret}" if secret else ""
        yield (
            CheckName.MODEL_READABLE,
            f"{model.repo} can be read{token}; its commit is pinned and its files are counted",
        )
    yield CheckName.IMAGES_PULLABLE, QUESTIONS[CheckName.IMAGES_PULLABLE]
    if workspace.tuning and workspace.tuning.output.image:
        output = workspace.tuning.output
        secret = output.image_push_secret or "(none)"
        yield CheckName.OUTPUT_WRITABLE, f"the account of Secret {secret} may push to {output.image}"
    if workspace.tuning:
        yield CheckName.STORAGE_CLASS, "the StorageClass for the training's volume, or a default one, is there"
    template = workspace.inference.template if workspace.inference else None
    if template and storage_classes(Part("", template)["spec"]):
        yield CheckName.STORAGE_CLASS, QUESTIONS[CheckName.STORAGE_CLASS]


def _spot_first(workspace: Workspace, sku: Sku) -> bool:
    try:
        return purchase_options(sku.name, workspace.metadata.annotations)[0].spot
    except ValueError:  # M16 and M17 report it
        return False


def ways_to_get_nodes(workspace: Workspace, context: PlanContext, sku: Sku | None) -> tuple[str, ...]:
    """What is tried, in this order, when there is more than one way; this plan is of the first."""
    if sku is None or context.provider != "aks":
        return ()
    try:
        options = purchase_options(sku.name, workspace.metadata.annotations)
    except ValueError:  # admission's rules M16 and M17 report the error
        return ()
    return tuple(map(str, options)) if len(options) > 1 else ()


def released_on_failure(workspace: Workspace, context: PlanContext, count: int) -> tuple[str, ...]:
    """What is released when a pass fails, and when the Workspace is deleted."""
    pool = f" {names.pool_name(workspace.uid)}" if workspace.uid else ""
    noun = "node" if count == 1 else "nodes"
    kept = {
        "aks": f"node pool{pool} with {count} {noun}, until Azure returns NotFound",
        "karpenter": f"{count} NodeClaims and their nodes",
        "byo": "the GPUs reserved on your nodes; the nodes stay",
    }
    made = "Jobs and ConfigMap" if workspace.tuning else "Deployment, Service and ConfigMap"
    return (kept.get(context.provider, kept["aks"]), f"{made} of {workspace.name}")
