"""Checks a Workspace against the catalogue and the table of machines; refusals carry a reason. No I/O."""

from collections.abc import Iterator, Mapping

from api import labels, names, purchasing
from api.configs.inference import INFERENCE_KEY, InferenceConfig, parse_inference_config
from api.configs.problem import ConfigProblem
from api.configs.training import (
    TRAINING_KEY,
    TrainingConfig,
    default_training_config,
    method_problem,
    parse_training_config,
)
from api.resource.model import TuningSpec
from api.resource.workspace import Workspace
from api.validation.checks.sections import METHODS, normal_method
from api.validation.document import Part
from presets.admission.config_maps import ConfigMaps
from presets.admission.templates import needs_of
from presets.hub import adapter_support
from presets.machines.skus import Sku, UnknownSku, find_sku
from presets.models.catalog import Model, UnknownModel, find_model
from presets.plan.context import PlanContext
from presets.plan.document import Finding

IMAGE_FAMILIES = ("ubuntu", "azurelinux")


class Refused(ValueError):
    """Planning cannot continue because of this finding."""

    def __init__(self, reason: str, message: str, *, path: str = "") -> None:
        self.finding = Finding(reason=reason, path=path, message=message)
        super().__init__(str(self.finding))


def spec_errors(workspace: Workspace) -> Iterator[Finding]:
    """Errors unless there is exactly one task, and the nodes can be labelled and counted as requested."""
    if problem := names.workspace_name_problem(workspace.name):
        yield Finding(reason="InvalidSpec", path="metadata.name", message=problem)
    if bool(workspace.inference) == bool(workspace.tuning):
        which = "neither" if not workspace.inference else "both"
        message = f"the Workspace has {which} of inference and tuning: give exactly one"
        yield Finding(reason="SectionMissing", message=message)
    elif workspace.tuning:
        yield from _unsound_training(workspace, workspace.tuning)
    inference = workspace.inference
    if inference and (inference.preset is None) == (inference.template is None):
        message = "give exactly one of preset and template"
        yield Finding(reason="InvalidSpec", path="inference", message=message)
    if refused := sorted(filter(labels.forbidden_on_nodes, workspace.match_labels)):
        message = f"nodes cannot be given labels of this domain: {', '.join(refused)}. Use a label of your own"
        yield Finding(reason="InvalidSpec", path="resource.labelSelector", message=message)
    if workspace.count < 1:
        message = f"is {workspace.count}: it must be 1 or more"
        yield Finding(reason="InvalidSpec", path="resource.count", message=message)
    family = image_family(workspace)
    if family not in IMAGE_FAMILIES:
        message = f"is {family!r}: use {' or '.join(IMAGE_FAMILIES)}"
        yield Finding(reason="InvalidSpec", path=f"annotation {labels.NODE_IMAGE_FAMILY}", message=message)


def _unsound_training(workspace: Workspace, tuning: TuningSpec) -> Iterator[Finding]:
    if tuning.preset is None:
        yield Finding(reason="InvalidSpec", path="tuning.preset", message="is not set: name the model to train on")
    if normal_method(tuning.method or "") not in METHODS:
        message = f"is {tuning.method or ''!r}: use {' or '.join(METHODS)}"
        yield Finding(reason="InvalidSpec", path="tuning.method", message=message)
    if workspace.count > 1:
        message = (
            f"is {workspace.count}: a training runs on one node. Set it to 1, or leave it out; for more GPUs choose a "
            "machine type that has several, which train together"
        )
        yield Finding(reason="InvalidSpec", path="resource.count", message=message)


def image_family(workspace: Workspace) -> str:
    """The node image of the annotation; ubuntu without one."""
    given = workspace.metadata.annotations.get(labels.NODE_IMAGE_FAMILY, "").strip().lower()
    return given or IMAGE_FAMILIES[0]


def price_limit(workspace: Workspace) -> float | None:
    """US dollars per hour for all nodes; None without a limit, and for a value that `spec_errors` refuses."""
    try:
        return purchasing.price_limit(workspace.metadata.annotations.get(labels.MAX_PRICE_PER_HOUR, ""))
    except ValueError:
        return None


def storage_classes(pod: Part) -> list[str]:
    """The StorageClasses that a pod's volumes are made from, sorted; an empty name stands for the default class."""
    claims = [volume["ephemeral"]["volumeClaimTemplate"]["spec"] for volume in pod["volumes"].items()]
    # A claim with an empty class, unlike one without, requires an existing volume.
    made = [claim for claim in claims if claim.is_map and claim["storageClassName"].value != ""]
    return sorted({claim["storageClassName"].text for claim in made})


def wanted_sku(workspace: Workspace) -> Sku:
    """The machine that is to be bought. Raises Refused: InstanceTypeMissing, InstanceTypeUnknown."""
    path = "resource.instanceType"
    if not workspace.instance_type:
        raise Refused("InstanceTypeMissing", "is not set; use for instance Standard_NC24ads_A100_v4", path=path)
    try:
        sku = find_sku(workspace.instance_type)
    except UnknownSku as error:
        raise Refused("InstanceTypeUnknown", str(error), path=path) from None
    needs = needs_of(workspace)
    if not sku.gpus and (needs is None or needs.gpus):
        raise Refused("InstanceTypeUnknown", f"{sku.name} has no GPU", path=path)
    return sku


def wanted_model(workspace: Workspace, known: Model | None) -> Model | None:
    """The model that is to be served, or trained on; None for templates. `known` is the hub's answer, if it
    was queried. Raises Refused: PresetUnknown, ModelGated, ModelNotTunable."""
    section = workspace.inference or workspace.tuning
    preset = section.preset if section else None
    if preset is None:
        return None
    path = f"{'inference' if workspace.inference else 'tuning'}.preset.name"
    try:
        model = known or find_model(preset.name)
    except UnknownModel as error:
        message = str(error)
        if "/" in preset.name:
            message = f"{preset.name!r} is not in the catalogue, and the hub was not queried"
        raise Refused("PresetUnknown", message, path=path) from None
    if model.gated and not preset.access_secret:
        message = f"{model.repo} is gated: accept its licence and name a Secret with HF_TOKEN in modelAccessSecret"
        raise Refused("ModelGated", message, path=path)
    if workspace.tuning and not workspace.inference and not model.lora_targets:
        message = f"{model.repo} does not support tuning: no modules for an adapter are known"
        if model.quantization:
            message += f", because its weights are quantized ({model.quantization})"
        raise Refused("ModelNotTunable", f"{message}. Use for instance phi-3-mini-4k-instruct", path=path)
    return model


def check_adapters(workspace: Workspace, model: Model) -> None:
    """Applies to every model what admission checks for models of the catalogue. Raises Refused:
    AdapterNotServable."""
    named = adapter_names(workspace)
    if named and (message := adapter_support.refusal(model)):
        raise Refused("AdapterNotServable", message, path="inference.adapters")
    if model.served_name in named:
        message = f"{model.served_name!r} is the model's own name; clients could not choose"
        raise Refused("AdapterNotServable", message, path="inference.adapters")


def adapter_names(workspace: Workspace) -> tuple[str, ...]:
    """The model names that clients ask adapters by, in the order in which they are written."""
    adapters = (workspace.inference.adapters if workspace.inference else None) or []
    return tuple(adapter.source.name or "" for adapter in adapters if adapter.source)


def wanted_config(workspace: Workspace, context: PlanContext) -> InferenceConfig | None:
    """The user's inference_config.yaml; None where none is named, or where no ConfigMaps are at hand.
    Raises Refused: ConfigNotFound, ConfigInvalid."""
    name = workspace.inference.config if workspace.inference else None
    if not name or context.config_maps is None:
        return None
    text = _content(name, INFERENCE_KEY, workspace.namespace, context.config_maps, "inference.config")
    try:
        return parse_inference_config(text, remote_code_allowed=context.allows_remote_code(workspace.namespace))
    except ConfigProblem as error:
        message = f"{INFERENCE_KEY} of ConfigMap '{name}': {error}"
        raise Refused("ConfigInvalid", message, path="inference.config") from None


def wanted_training(workspace: Workspace, context: PlanContext) -> TrainingConfig | None:
    """The training_config.yaml that the Workspace names, or the defaults of its method where it names none or where no
    ConfigMaps are at hand; None for what is no training. Raises Refused: ConfigNotFound, ConfigInvalid."""
    tuning = workspace.tuning
    if tuning is None:
        return None
    method = training_method(tuning)
    if not tuning.config or context.config_maps is None:
        return default_training_config(method)
    path = "tuning.config"
    text = _content(tuning.config, TRAINING_KEY, workspace.namespace, context.config_maps, path)
    try:
        config = parse_training_config(text, remote_code_allowed=context.allows_remote_code(workspace.namespace))
    except ConfigProblem as error:
        message = f"{TRAINING_KEY} of ConfigMap '{tuning.config}': {error}"
        raise Refused("ConfigInvalid", message, path=path) from None
    if problem := method_problem(config, method):
        message = f"{TRAINING_KEY} of ConfigMap '{tuning.config}': {': '.join(problem)}"
        raise Refused("ConfigInvalid", message, path=path)
    return config


def training_method(tuning: TuningSpec) -> str:
    """lora or qlora, however it is written; lora for what is refused."""
    method = normal_method(tuning.method or "")
    return method if method in METHODS else METHODS[0]


def _content(name: str, key: str, namespace: str, config_maps: ConfigMaps, path: str) -> str:
    """The text below this key. Raises Refused: ConfigNotFound."""
    if name not in config_maps:
        raise Refused("ConfigNotFound", f"ConfigMap '{name}' is not in namespace {namespace}", path=path)
    data = config_maps[name].get("data")
    text = data.get(key) if isinstance(data, Mapping) else None
    if not isinstance(text, str):
        raise Refused("ConfigNotFound", f"ConfigMap '{name}' has no key {key} with text", path=path)
    return text
