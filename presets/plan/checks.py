"""What a Workspace asks for: model, configuration, adapters, node image. No I/O.

Admission's rules have refused what can be known from the document; refused here is what only the hub's answer tells of
a model that the catalogue does not have.
"""

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import JsonValue

from api import labels, purchasing
from api.configs.inference import INFERENCE_KEY, InferenceConfig, parse_inference_config
from api.configs.problem import ConfigProblem
from api.configs.training import (
    TRAINING_KEY,
    TrainingConfig,
    default_training_config,
    method_problem,
    parse_training_config,
)
from api.policy.document import Policy
from api.policy.rules import ENABLED
from api.resource.model import TuningSpec
from api.resource.workspace import Workspace
from api.validation.checks.sections import METHODS, normal_method
from api.validation.document import Part
from presets.admission.config_maps import ConfigMaps
from presets.admission.lookups import untunable
from presets.hub import adapter_support
from presets.models.catalog import Model, UnknownModel, find_model
from presets.plan.context import PlanContext
from presets.plan.document import Finding

IMAGE_FAMILIES = ("ubuntu", "azurelinux")
DEFAULT_MODE: Final = "balanced"


class Refused(ValueError):
    """Planning cannot continue because of this finding."""

    def __init__(self, reason: str, message: str, *, path: str = "") -> None:
        self.finding = Finding(reason=reason, path=path, message=message)
        super().__init__(str(self.finding))


def image_family(workspace: Workspace) -> str:
    """The node image of the annotation; ubuntu without one."""
    given = workspace.metadata.annotations.get(labels.NODE_IMAGE_FAMILY, "").strip().lower()
    return given or IMAGE_FAMILIES[0]


def performance_mode(workspace: Workspace) -> dict[str, JsonValue]:
    """vLLM's option for the annotation; none for its own default, balanced. The ConfigMap's wins over it."""
    mode = workspace.metadata.annotations.get(labels.PERFORMANCE_MODE, DEFAULT_MODE)
    return {} if mode == DEFAULT_MODE else {"performance-mode": mode}


def local_weights(workspace: Workspace) -> bool:
    """Whether the model's weights lie on the nodes already, as the annotation says of a preset that is served."""
    return workspace.kind == "preset" and workspace.metadata.annotations.get(labels.USE_LOCAL_WEIGHTS) == "true"


def load_balancer(workspace: Workspace, policy: Policy | None) -> Literal["", "public", "internal"]:
    """Whose address the Service gets beside the cluster's own: nobody's unless the annotation asks for one."""
    if workspace.kind == "tuning" or workspace.metadata.annotations.get(labels.ENABLE_LOAD_BALANCER) != ENABLED:
        return ""
    allowed = "public" if policy is None else policy.rules_of(workspace.namespace).load_balancers
    return "" if allowed == "none" else allowed


def price_limit(workspace: Workspace) -> float | None:
    """US dollars per hour for all nodes; None without a limit, and for a value that the rule M15 refuses."""
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
        raise Refused("ModelNotTunable", f"{model.repo} {untunable(model)}", path=path)
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
    """The user's inference_config.yaml; None where none is named, where no ConfigMaps are at hand, and for what the
    rule I1 refuses."""
    name = workspace.inference.config if workspace.inference else None
    text = _content(name or "", INFERENCE_KEY, context.config_maps)
    if text is None:
        return None
    try:
        return parse_inference_config(text, remote_code_allowed=context.allows_remote_code(workspace.namespace))
    except ConfigProblem:
        return None


def wanted_training(workspace: Workspace, context: PlanContext) -> TrainingConfig | None:
    """The training_config.yaml that the Workspace names, or the defaults of its method where it names none or where no
    ConfigMaps are at hand; None for what is no training, and for what the rule C45 refuses."""
    tuning = workspace.tuning
    if tuning is None:
        return None
    method = training_method(tuning)
    if not tuning.config or context.config_maps is None:
        return default_training_config(method)
    text = _content(tuning.config, TRAINING_KEY, context.config_maps)
    if text is None:
        return None
    try:
        config = parse_training_config(text, remote_code_allowed=context.allows_remote_code(workspace.namespace))
    except ConfigProblem:
        return None
    return None if method_problem(config, method) else config


def training_method(tuning: TuningSpec) -> str:
    """lora or qlora, however it is written; lora for what is refused."""
    method = normal_method(tuning.method or "")
    return method if method in METHODS else METHODS[0]


def _content(name: str, key: str, config_maps: ConfigMaps | None) -> str | None:
    """The text below this key of the ConfigMap; None where there is none."""
    found = (config_maps or {}).get(name)
    data = found.get("data") if isinstance(found, Mapping) else None
    text = data.get(key) if isinstance(data, Mapping) else None
    return text if isinstance(text, str) else None
