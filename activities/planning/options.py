"""Makes a Plan of what `presets.plan` has decided for a Workspace: names, numbers and deadlines that its steps go by.

Pure. Everything but the digests, which `planner.py` adds, and the further options, which `fallbacks.py` makes.
"""

import math
from typing import Any, Final

from activities.clients.kubernetes import Object
from activities.contract.failures import failure
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Deadlines, Option, Plan
from api import labels, names
from api.resource.workspace import Workspace
from presets.admission.lookups import known_sku
from presets.plan import checks
from presets.plan.context import PlanContext
from presets.plan.document import PlanReport
from presets.plan.judge import plan_document

SERVING_BASE_S: Final = 15 * 60
SERVING_PER_GIB_S: Final = 18
"""Seconds that a download at 60 MB/s takes per GiB. Base and rate are KAITO's readiness timeout."""
SERVING_MOST_S: Final = 180 * 60


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
