"""Size: turns a Workspace into a Plan, or raises the reason why it cannot be carried out. Changes nothing.

The result is recorded in the workflow's history, so a later release of the catalogue never changes a running Workspace.
`presets.plan.planner` decides what is planned; `plan_option` makes a Plan of it, and the activities around it read the
Workspace and the ConfigMap that it names.
"""

import hashlib
import json
import math
from collections.abc import Awaitable, Callable
from typing import Any, Final

from temporalio.exceptions import ApplicationError

from activities.clients.kubernetes import Cluster, Object
from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Deadlines, Option, Plan, Planned, PlanRequest, Wanted, WantedRequest
from activities.nodes.provider import provider_of
from activities.planning.byo_machine import read_own_machine
from activities.planning.fallbacks import all_options
from activities.workspaces import Note, is_protected, read_ours
from api import labels, names
from api.configs.inference import INFERENCE_KEY, parse_inference_config
from api.configs.option_classes import RemoteCode
from api.configs.problem import ConfigProblem
from api.configs.training import TRAINING_KEY
from api.policy.document import Policy
from api.policy.purchases import PolicySource
from api.providers import Provider
from api.resource.invalid import InvalidWorkspace
from api.resource.status import parse_status
from api.resource.workspace import Workspace
from api.validation.checks.sections import is_model_name
from api.validation.document import Part
from presets.admission.lookups import known_model, known_sku
from presets.admission.templates import needs_of
from presets.machines.machine import Machine
from presets.models.catalog import Model
from presets.plan import checks
from presets.plan.context import PlanContext
from presets.plan.document import PlanReport
from presets.plan.judge import plan_document

RELEASE: Final = "1"
"""Part of the digest: raised when manifests change in a way that running workloads must follow."""
SERVING_BASE_S: Final = 15 * 60
SERVING_PER_GIB_S: Final = 18
"""Seconds that a download at 60 MB/s takes per GiB. Base and rate are KAITO's readiness timeout."""
SERVING_MOST_S: Final = 180 * 60

ReadFacts = Callable[[str, str, str], Awaitable[Model]]
"""Queries the hub for a model: namespace, repository, name of the Secret with its token (may be empty)."""


class Planner:
    """Reads a Workspace and plans it for one region's prices."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        location: str,
        deadlines: Deadlines,
        images: tuple[str, ...],
        data_image: str = "",
        provider: Provider = "aks",
        with_cloud: bool = True,
        read_facts: ReadFacts | None = None,
        note: Note = lambda found: None,
        policy: PolicySource = lambda: Policy(),
    ) -> None:
        self._cluster = cluster
        self._policy = policy
        self._location = location
        self._deadlines = deadlines
        self._images = images
        self._data_image = data_image
        self._provider = provider
        self._with_cloud = with_cloud
        self._read_facts = read_facts
        self._note = note

    @signatures.implements(signatures.BUILD_PLAN)
    async def build_plan(self, request: PlanRequest) -> Planned:
        """Plans the generation that the API server has now. Raises WorkspaceGone and every reason of class `fail` that
        can be known without querying a cloud."""
        found = await self._read(request)
        return Planned.of(await self._options(request, found), protected=is_protected(found["metadata"]))

    @signatures.implements(signatures.READ_WANTED)
    async def read_wanted(self, request: WantedRequest) -> Wanted:
        """Returns what is wanted now on the existing nodes. Raises what `build_plan` raises."""
        return Wanted.of(await self._options(request, await self._read(request)), request.terms)

    async def _read(self, key: PlanRequest) -> Object:
        found = await read_ours(self._cluster, key)
        if found is None or "deletionTimestamp" in found["metadata"]:
            raise failure("WorkspaceGone", f"Workspace {key.namespace}/{key.name} is gone or being deleted")
        self._note(found)
        return found

    async def _options(self, key: PlanRequest, found: Object) -> list[Option]:
        section = "tuning" if found.get("tuning") else "inference"
        named = Part("", found)[section]["config"].text
        provider = self._provider_of(found, key.held)
        machine = await self._own_machine(parsed(found)) if provider == "byo" else None
        config_maps = {named: await self._config_map(key.namespace, section, named)} if named else {}
        around = PlanContext(
            region=self._location,
            provider=provider,
            config_maps=config_maps,
            model=await self._hub_model(key.namespace, found),
            machine=machine,
            policy=self._policy(),
        )
        first = plan_option(found, around, self._deadlines)
        remote_code = around.allows_remote_code(key.namespace)
        config = _config_text(section, named, config_maps[named], remote_code) if named else ""
        digests = {"digest": digest_of(found, config, self._images_of(first.plan))}
        if first.plan.kind == "tuning":
            digests["training_digest"] = training_digest_of(found, config)
        first = first.model_copy(update={"plan": first.plan.model_copy(update=digests)})
        return all_options(first, found, lambda other: plan_option(other, around, self._deadlines))

    async def _own_machine(self, workspace: Workspace) -> Machine | None:
        """What the user's nodes are sized by; None for a template, for which nothing is sized: it is counted by what it
        asks for, wherever that is free. Raises NoMatchingNodes with the seconds for which the nodes may be waited
        for."""
        if needs_of(workspace):
            return None
        try:
            return await read_own_machine(self._cluster, workspace)
        except ApplicationError as error:
            if error.type != "NoMatchingNodes":
                raise
            raise failure("NoMatchingNodes", error.message, final=True, wait_s=self._deadlines.provision) from None

    async def _config_map(self, namespace: str, section: str, name: str) -> Object:
        return await read_config_map(self._cluster, namespace, name, f"{section}.config")

    def _images_of(self, plan: Plan) -> tuple[str, ...]:
        """The images of the workload's pods; a change of any other image does not replace them."""
        return (*self._images, self._data_image) if plan.adapters else self._images

    def _provider_of(self, found: Object, held: Provider | None) -> Provider:
        """Raises InvalidSpec for an unknown value, for a change, and for node pools without a worker that can buy
        them."""
        annotations = Part("", found)["metadata"]["annotations"].texts
        provider = provider_of(annotations, installed=self._provider, held=held or planned_before(found))
        if provider == "aks" and not self._with_cloud:
            message = "this installation has no worker for Azure, and the Workspace asks for node pools"
            raise failure(
                "InvalidSpec",
                f"{message}. Use karpenter or byo, or run `worker --queues cloud` and set MODELYARD_CLOUD_WORKER=true",
            )
        return provider

    async def _hub_model(self, namespace: str, found: Object) -> Model | None:
        """Reads the facts of a repository that is not in the catalogue. Raises the reasons of the hub's reader."""
        preset = Part("", found)["tuning" if found.get("tuning") else "inference"]["preset"]
        repo = preset["name"].text.strip()
        from_hub = "/" in repo and is_model_name(repo) and known_model(preset) is None
        if self._read_facts is None or not from_hub:
            return None
        return await self._read_facts(namespace, repo, preset["presetOptions"]["modelAccessSecret"].text)


def planned_before(found: Object) -> Provider | None:
    """The provider in the status, for a workflow that has no record of it."""
    plan = parse_status(Part("", found)["status"].mapping).plan
    return plan.provider if plan else None


def parsed(found: Object) -> Workspace:
    """Parses the Workspace. Raises InvalidSpec that lists every wrong field."""
    try:
        return Workspace.parse(found)
    except InvalidWorkspace as error:
        raise failure("InvalidSpec", str(error)) from None


def plan_option(found: Object, around: PlanContext, deadlines: Deadlines) -> Option:
    """Returns plan and report on the machine that the Workspace requests first; everything but the digests. Raises
    SectionMissing, PresetUnknown, InstanceTypeUnknown, DoesNotFit and the like: the first error's reason, with all of
    them as the message."""
    document = plan_document(found, around)
    if document.errors:
        raise failure(document.errors[0].reason, "; ".join(map(str, document.errors)))
    workspace = Workspace.parse(found)
    section = workspace.inference or workspace.tuning
    preset = section.preset if section else None
    plan = Plan(
        key=WorkspaceKey(namespace=workspace.namespace, name=workspace.name, uid=workspace.uid),
        generation=workspace.metadata.generation,
        kind="tuning" if workspace.tuning else "template" if preset is None else "preset",
        provider=around.provider,
        model=document.model,
        served_model_name=document.served_model_name,
        access_secret=(preset.access_secret or "") if preset else "",
        adapters=checks.adapter_names(workspace) if preset else (),
        instance_type=document.instance_type,
        node_count=document.nodes or workspace.replicas,
        gpus_per_node=document.gpus_per_node or 0,
        gpu_resource=document.gpu_resource,
        pool_name=names.pool_name(workspace.uid),
        os_disk_gib=document.disk_gib or 0,
        memory_gib=around.machine.ram_gib if around.machine else 0,
        node_labels=workspace.match_labels,
        image_family=checks.image_family(workspace),
        placed=True,
        from_kaito=labels.KAITO_HASH in workspace.metadata.annotations,
        node_class=workspace.metadata.annotations.get(labels.NODE_CLASS_NAME, "").strip(),
        vllm_options=document.vllm_options,
        config_map=(section.config or "") if section else "",
        load_balancer=checks.load_balancer(workspace, around.policy),
        local_weights=checks.local_weights(workspace),
        price_per_hour=document.price_per_hour,
        max_price_per_hour=checks.price_limit(workspace),
        deadlines=_stretched(deadlines, document),
        **_layout(document),
        **_quota(document),
        **_training(workspace, document),
    )
    return Option(plan=plan, report=document)


def digest_of(found: Object, config: str, images: tuple[str, ...]) -> str:
    """16 hex digits over everything that shapes the pods, so that an edited ConfigMap or a new image rolls out."""
    shape = {key: found.get(key) for key in ("resource", "inference", "tuning")}
    text = json.dumps([RELEASE, shape, config, images], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


async def read_config(cluster: Cluster, namespace: str, name: str, remote_code: RemoteCode) -> dict[str, Any]:
    """Returns the vLLM keys of the user's inference_config.yaml. Raises ConfigNotFound, or ConfigInvalid with
    what to change."""
    return vllm_keys(name, await read_config_map(cluster, namespace, name), remote_code(namespace))


async def read_config_map(cluster: Cluster, namespace: str, name: str, path: str = "inference.config") -> Object:
    """Returns the ConfigMap. Raises ConfigNotFound."""
    found = await cluster.get("ConfigMap", name, namespace)
    if found is None:
        raise failure("ConfigNotFound", f"ConfigMap '{name}' named by {path} is not in namespace {namespace}")
    return found


def training_digest_of(found: Object, config: str) -> str:
    """16 hex digits over what shapes the adapter: pushing the same adapter elsewhere needs no new training."""
    tuning = {key: value for key, value in (found.get("tuning") or {}).items() if key != "output"}
    volume = ((found.get("tuning") or {}).get("output") or {}).get("volumeSource")
    text = json.dumps([tuning, volume, config], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _config_text(section: str, name: str, config_map: Object, remote_code_allowed: bool) -> str:
    """The part of the ConfigMap that shapes the pods."""
    if section == "inference":
        return json.dumps(vllm_keys(name, config_map, remote_code_allowed), sort_keys=True)
    return str((config_map.get("data") or {}).get(TRAINING_KEY, ""))


def vllm_keys(name: str, config_map: Object, remote_code_allowed: bool) -> dict[str, Any]:
    """The ConfigMap's vLLM options. Raises ConfigNotFound if it lacks the key, ConfigInvalid."""
    text = (config_map.get("data") or {}).get(INFERENCE_KEY)
    if not isinstance(text, str):
        raise failure("ConfigNotFound", f"ConfigMap '{name}' has no key {INFERENCE_KEY}")
    try:
        return dict(parse_inference_config(text, remote_code_allowed=remote_code_allowed).vllm)
    except ConfigProblem as error:
        raise failure("ConfigInvalid", f"{INFERENCE_KEY} of ConfigMap '{name}': {error}") from None


def _layout(document: PlanReport) -> dict[str, Any]:
    if document.tensor_parallel is None:
        return {}
    return {
        "tensor_parallel": document.tensor_parallel,
        "pipeline_parallel": document.pipeline_parallel,
        "data_parallel": document.data_parallel,
        "max_model_len": document.max_model_len,
        "gpu_memory_utilization": document.gpu_memory_utilization,
    }


def _training(workspace: Workspace, document: PlanReport) -> dict[str, Any]:
    tuning = workspace.tuning
    if tuning is None:
        return {}
    own_volumes = tuning.input.volume_source is not None and tuning.output.volume_source is not None
    return {
        "method": document.method,
        "volume_gib": 0 if own_volumes else document.volume_gib or 0,
        "output_image": tuning.output.image or "",
        "output_secret": tuning.output.image_push_secret or "",
    }


def _quota(document: PlanReport) -> dict[str, Any]:
    sku = known_sku(document.instance_type)
    if document.provider == "byo" or sku is None:  # templates may name sizes that the table lacks
        return {}
    return {"vcpus_per_node": sku.vcpus, "vcpu_family": sku.family}


def _stretched(deadlines: Deadlines, document: PlanReport) -> Deadlines:
    """Extends the deadline for a large model's download; the default is for models up to 50 GiB. Never shorter than
    what the plan itself announces."""
    announced = math.ceil(60 * document.minutes_until_ready.most) if document.minutes_until_ready else 0
    download = min(SERVING_MOST_S, SERVING_BASE_S + SERVING_PER_GIB_S * int(document.weights_gib or 0))
    needed = max(announced, download)
    if needed <= Deadlines().serving:
        return deadlines
    return deadlines.model_copy(update={"serving": max(deadlines.serving, needed)})
