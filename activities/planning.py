"""Size: turns a Workspace into a Plan, or says in one sentence why it cannot be carried out. Changes nothing.

The result is on record in the workflow's history, so a later release of the catalogue never changes a running
Workspace. `plan_of` is pure; the activity around it reads the Workspace and the ConfigMap that it names.
"""

import hashlib
import json
from typing import Any, Final

import yaml

from activities import signatures
from activities.contracts import Deadlines, Plan, WorkspaceKey
from activities.failures import failure
from activities.kubernetes_api import Cluster, Object
from api import labels, names
from api.invalid import InvalidWorkspace
from api.workspace import Workspace
from presets.catalogue import Model, UnknownModel, find_model
from presets.sizing import IMAGES_AND_LOGS_GIB, DoesNotFit, disk_gib, fit
from presets.sizing_machine import Machine
from presets.skus import Sku, UnknownSku, find_sku

CONFIG_KEY: Final = "inference_config.yaml"
DEFAULT_IMAGE_FAMILY: Final = "ubuntu"
RELEASE: Final = "1"
"""Part of the digest: raised when manifests change in a way that running workloads must follow."""


class Planner:
    """Reads a Workspace and plans it for one region's prices."""

    def __init__(self, cluster: Cluster, *, location: str, deadlines: Deadlines, images: tuple[str, str]) -> None:
        self._cluster = cluster
        self._location = location
        self._deadlines = deadlines
        self._images = images

    @signatures.implements(signatures.BUILD_PLAN)
    async def build_plan(self, key: WorkspaceKey) -> Plan:
        """The plan of the generation that the API server has now. Raises WorkspaceGone and every reason of class `fail`
        that can be known without asking a cloud."""
        found = await self._cluster.get("Workspace", key.name, key.namespace)
        if found is None or found["metadata"]["uid"] != key.uid or "deletionTimestamp" in found["metadata"]:
            raise failure("WorkspaceGone", f"Workspace {key.namespace}/{key.name} is gone or being deleted")
        workspace = parsed(found)
        plan = plan_of(workspace, self._location, self._deadlines)
        config = await self._config(plan)
        return plan.model_copy(update={"digest": digest_of(found, config, self._images)})

    async def _config(self, plan: Plan) -> str:
        if not plan.config_map:
            return ""
        content = await read_config(self._cluster, plan.key.namespace, plan.config_map)
        return json.dumps(content, sort_keys=True)


def parsed(found: Object) -> Workspace:
    """The Workspace. Raises InvalidSpec that lists every wrong field."""
    try:
        workspace = Workspace.parse(found)
    except InvalidWorkspace as error:
        raise failure("InvalidSpec", str(error)) from None
    problem = names.workspace_name_problem(workspace.name)
    if problem:
        raise failure("InvalidSpec", f"metadata.name: {problem}")
    return workspace


def plan_of(workspace: Workspace, location: str, deadlines: Deadlines) -> Plan:
    """Everything but the digest. Raises SectionMissing, PresetUnknown, InstanceTypeUnknown, DoesNotFit and the like."""
    _require_sound(workspace)
    sku = _sku(workspace)
    key = WorkspaceKey(namespace=workspace.namespace, name=workspace.name, uid=workspace.uid)
    common: dict[str, Any] = {
        "key": key,
        "generation": workspace.metadata.generation,
        "instance_type": sku.name,
        "node_count": workspace.count,
        "gpus_per_node": sku.gpus,
        "pool_name": names.pool_name(workspace.uid),
        "node_labels": workspace.match_labels,
        "image_family": _image_family(workspace),
        "vcpus_per_node": sku.vcpus,
        "vcpu_family": sku.family,
        "price_per_hour": _price(sku, location, workspace.count),
        "config_map": (workspace.inference.config or "") if workspace.inference else "",
        "deadlines": deadlines,
    }
    if workspace.inference and workspace.inference.preset:
        return Plan(**common, **_preset_fields(workspace, sku))
    return Plan(**common, kind="template", os_disk_gib=max(IMAGES_AND_LOGS_GIB, 256))


def digest_of(found: Object, config: str, images: tuple[str, str]) -> str:
    """16 hex digits over everything that shapes the pods, so that an edited ConfigMap or a new image rolls out."""
    shape = {key: found.get(key) for key in ("resource", "inference", "tuning")}
    text = json.dumps([RELEASE, shape, config, images], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


async def read_config(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    """The vLLM keys of the user's inference_config.yaml. Raises ConfigNotFound or ConfigInvalid with what to change."""
    found = await cluster.get("ConfigMap", name, namespace)
    if found is None:
        raise failure("ConfigNotFound", f"ConfigMap '{name}' named by inference.config is not in namespace {namespace}")
    text = (found.get("data") or {}).get(CONFIG_KEY)
    if text is None:
        raise failure("ConfigNotFound", f"ConfigMap '{name}' has no key {CONFIG_KEY}")
    try:
        document = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise failure("ConfigInvalid", f"{CONFIG_KEY} of ConfigMap '{name}' is no YAML: {error}") from None
    section = document.get("vllm", {}) if isinstance(document, dict) else None
    if not isinstance(section, dict):
        raise failure("ConfigInvalid", f"{CONFIG_KEY} of ConfigMap '{name}' must be a mapping with a mapping `vllm`")
    return section


def _require_sound(workspace: Workspace) -> None:
    if bool(workspace.inference) == bool(workspace.tuning):
        which = "neither" if not workspace.inference else "both"
        raise failure("SectionMissing", f"the Workspace has {which} of inference and tuning: give exactly one")
    if workspace.tuning:
        raise failure("TuningNotSupported", "tuning is not carried out yet: use an inference section")
    inference = workspace.inference
    if inference and (inference.preset is None) == (inference.template is None):
        raise failure("InvalidSpec", "inference: give exactly one of preset and template")
    refused = sorted(filter(labels.forbidden_on_nodes, workspace.match_labels))
    if refused:
        message = f"resource.labelSelector: nodes cannot be given labels of this domain: {', '.join(refused)}"
        raise failure("InvalidSpec", f"{message}. Use a label of your own")
    if workspace.count < 1:
        raise failure("InvalidSpec", f"resource.count is {workspace.count}: it must be 1 or more")


def _sku(workspace: Workspace) -> Sku:
    if not workspace.instance_type:
        raise failure("InstanceTypeMissing", "set resource.instanceType, for instance Standard_NC24ads_A100_v4")
    try:
        sku = find_sku(workspace.instance_type)
    except UnknownSku as error:
        raise failure("InstanceTypeUnknown", f"resource.instanceType: {error}") from None
    if not sku.gpus:
        raise failure("InstanceTypeUnknown", f"resource.instanceType: {sku.name} has no GPU")
    return sku


def _preset_fields(workspace: Workspace, sku: Sku) -> dict[str, Any]:
    preset = workspace.inference.preset if workspace.inference else None
    assert preset is not None
    model = _model(preset.name)
    if model.gated and not preset.access_secret:
        message = f"{model.repo} is gated: accept its licence and name a Secret with HF_TOKEN in modelAccessSecret"
        raise failure("ModelGated", message)
    try:
        layout = fit(model, Machine.of(sku), most_nodes=1)
    except DoesNotFit as error:
        raise failure("DoesNotFit", f"{error}. Choose a larger instanceType") from None
    return {
        "kind": "preset",
        "model": model.repo,
        "served_model_name": model.served_name,
        "access_secret": preset.access_secret or "",
        "os_disk_gib": disk_gib(model),
        "tensor_parallel": layout.tensor_parallel,
        "data_parallel": layout.data_parallel,
        "max_model_len": layout.context,
    }


def _model(name: str) -> Model:
    try:
        return find_model(name)
    except UnknownModel as error:
        raise failure("PresetUnknown", f"inference.preset.name: {error}") from None


def _image_family(workspace: Workspace) -> str:
    given = workspace.metadata.annotations.get(labels.NODE_IMAGE_FAMILY, "").strip().lower()
    if given not in ("", "ubuntu", "azurelinux"):
        raise failure("InvalidSpec", f"annotation {labels.NODE_IMAGE_FAMILY} is {given!r}: use ubuntu or azurelinux")
    return given or DEFAULT_IMAGE_FAMILY


def _price(sku: Sku, location: str, count: int) -> float | None:
    price = sku.price(location)
    return None if price is None else round(price * count, 4)
