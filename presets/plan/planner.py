"""Plans one Workspace from its document alone: machines, memory, context, price and time, or errors. Pure.

`judge.py` asks the admission rules before it, for everybody, and nobody else calls this: what a rule refuses is not
refused here again. Does not query the cloud, the hub or the cluster; the plan lists the checks that will.
"""

from dataclasses import replace

from api import labels
from api.pods.template import TemplateNeeds
from api.resource.workspace import Workspace
from presets.admission.lookups import known_sku, slice_gib
from presets.admission.templates import needs_of, node_disk_gib
from presets.machines.machine import Machine
from presets.machines.skus import Sku
from presets.models.catalog import Model
from presets.plan import checks
from presets.plan.checks import Refused
from presets.plan.context import PlanContext
from presets.plan.document import AlternativeMachine, Finding, GpuMemory, MinutesRange, PlanReport, PriceRange
from presets.plan.durations import step_times, until_first_step, until_ready
from presets.plan.notes import preflight_checks, released_on_failure, remarks, room_for_adapters, ways_to_get_nodes
from presets.plan.tuning import described_training, sized_training
from presets.serving.alternatives import machines_that_fit
from presets.serving.fit import (
    LEAST_CONTEXT,
    DoesNotFit,
    Fit,
    Memory,
    closest,
    disk_gib,
    fit,
    utilization,
)
from presets.serving.overrides import VllmOverrides, vllm_overrides
from presets.serving.support import concerns, override_problems, refusals


def plan_workspace(workspace: Workspace, context: PlanContext) -> PlanReport:
    """The plan; its `errors` are every reason why it cannot be carried out."""
    bypassed = labels.BYPASS_RESOURCE_CHECKS in workspace.metadata.annotations
    context = replace(context, bypassed=bypassed, needs=needs_of(workspace))
    errors: list[Finding] = []
    model = None
    config, training = checks.wanted_config(workspace, context), checks.wanted_training(workspace, context)
    sku = known_sku(workspace.instance_type or "") if context.provider != "byo" else None
    try:
        model = checks.wanted_model(workspace, context.model)
        if model:
            checks.check_adapters(workspace, model)
    except Refused as refused:
        errors.append(refused.finding)
    machine = _machine(workspace, context, sku)
    if machine and context.machine and machine.gpus > context.machine.gpus:
        asked = f"asks for {machine.gpus} GPUs of a node, and {machine.name} has {context.machine.gpus}"
        errors.append(_error("DoesNotFit", asked, "resource.partition.count"))
    plan = _described(workspace, context, sku, machine, model)
    sized = machine if machine and machine.gpus else None  # C8 and C15 report a machine without GPUs
    if model and sized and training:
        plan = sized_training(plan, model, sized, training, context)
    elif model and sized and not workspace.tuning:
        plan = _sized(plan, model, sized, vllm_overrides(config, len(checks.adapter_names(workspace))), context)
    room = room_for_adapters(workspace, model, config) if model else []
    warnings = (*remarks(workspace, context, sku), *room, *plan.warnings)
    return plan.model_copy(update={"errors": (*errors, *plan.errors), "warnings": warnings})


def _machine(workspace: Workspace, context: PlanContext, sku: Sku | None) -> Machine | None:
    """One node as far as the Workspace may use it: on nodes that are there already it may ask for a part."""
    if sku or not context.machine:
        return Machine.of(sku) if sku else None
    partition = workspace.resource.partition if workspace.resource else None
    if partition and partition.mode == "accelerator" and partition.count:
        return context.machine.with_gpus(partition.count)
    size = slice_gib(partition.profile or "") if partition and not context.machine.divided else None
    return context.machine.with_slice(size) if size else context.machine


def _described(
    workspace: Workspace, context: PlanContext, sku: Sku | None, machine: Machine | None, model: Model | None
) -> PlanReport:
    """Everything that needs no sizing."""
    count = max(workspace.replicas, 0)
    price = sku.price(context.region) if sku else None
    plan = PlanReport(
        namespace=workspace.namespace,
        name=workspace.name,
        kind="preset" if model or not (workspace.inference and workspace.inference.template) else "template",
        provider=context.provider,
        model=model.repo if model else "",
        served_model_name=model.served_name if model else "",
        weights_gib=model.weights_gib if model else None,
        vllm_options=model.vllm_options | checks.performance_mode(workspace) if model else {},
        nodes=count,
        replicas=count,
        instance_type=sku.name if sku else "" if context.provider == "byo" else workspace.instance_type or "",
        gpu_model=machine.gpu_model if machine else "",
        gpus_per_node=_gpus(context.needs, sku, machine),
        gpu_resource=_gpu_resource(context.needs, machine),
        disk_gib=disk_gib(model) if model else node_disk_gib(context.needs),
        region=context.region,
        price_per_hour=None if price is None else round(price * count, 4),
        steps=step_times(model.weights_gib if model else 0.0),
        ways_to_get_nodes=ways_to_get_nodes(workspace, context, sku),
        preflight=preflight_checks(workspace, context, sku, model),
        released_on_failure=released_on_failure(workspace, context, count),
    )
    if workspace.tuning and not workspace.inference:
        plan = described_training(plan, workspace.tuning, model, context)
    return _timed(plan, price)


def _gpus(needs: TemplateNeeds | None, sku: Sku | None, machine: Machine | None) -> int | None:
    """GPUs of a node that are waited for and counted: a template's on own nodes, all of a node that was bought for it;
    none where a template asks for none. None where it is not known."""
    if needs is None:
        return machine.gpus if machine else None
    return machine.gpus if needs.gpus and sku and machine else needs.gpus


def _gpu_resource(needs: TemplateNeeds | None, machine: Machine | None) -> str:
    """What pods ask nodes for, one of which is a GPU or a slice of one."""
    if needs is not None:
        return needs.gpu_resource or labels.GPU_RESOURCE
    return machine.resource if machine else labels.GPU_RESOURCE


def _timed(plan: PlanReport, price: float | None) -> PlanReport:
    """With minutes and money until it is ready; until its first step, if it is a training. `price` is of a node."""
    until = until_first_step if plan.kind == "tuning" else until_ready
    low, high = until(plan.steps)
    return plan.model_copy(
        update={
            "minutes_until_ready": MinutesRange(least=round(low, 1), most=round(high, 1)),
            "price_until_ready": _price_until(price, plan.nodes or 0, until(plan.steps, paid_only=True)),
        }
    )


def _sized(
    plan: PlanReport, model: Model, machine: Machine, overrides: VllmOverrides, context: PlanContext
) -> PlanReport:
    """The plan with its layout and memory, or with the errors that say why there is none."""
    if against := refusals(model, machine):
        path = _machine_path(context)
        errors = [_error("DoesNotFit", f"{text}. {_choose('another', context)}", path) for text in against]
        return _with_alternatives(plan, model, overrides, context, errors)
    if problems := override_problems(model, machine, overrides):
        errors = [_error("ConfigInvalid", text, "inference.config") for text in problems]
        return plan.model_copy(update={"errors": (*plan.errors, *errors)})
    try:
        found = fit(model, machine, overrides, most_nodes=1)
    except DoesNotFit as error:
        return _on_several_nodes(plan, model, machine, overrides, context, error)
    return _laid_out(plan, model, machine, overrides, found)


def _on_several_nodes(
    plan: PlanReport, model: Model, machine: Machine, overrides: VllmOverrides, context: PlanContext, error: DoesNotFit
) -> PlanReport:
    """One replica on several nodes: sized and priced, and refused, because a replica is served by one node for now."""
    message = str(error)
    if context.bypassed and (nearest := closest(model, machine, overrides)):
        return _nevertheless(_laid_out(plan, model, machine, overrides, nearest), message)
    if overrides.context and error.context >= LEAST_CONTEXT:
        message += f". At most {error.context} tokens fit on one"
    try:
        found = fit(model, machine, overrides)
        plan = _laid_out(plan, model, machine, overrides, found)
        message += f". One replica would take {found.layout}, and a replica is served by one node for now"
    except DoesNotFit:
        plan = plan.model_copy(update={"nodes": None})
    errors = [_error("DoesNotFit", f"{message}. {_choose('a larger', context)}", _machine_path(context))]
    return _with_alternatives(plan, model, overrides, context, errors)


def _nevertheless(plan: PlanReport, message: str) -> PlanReport:
    """The plan of who knows better: vLLM takes the context that it finds room for."""
    tried = f"{message}. It is tried, because {labels.BYPASS_RESOURCE_CHECKS} says so"
    warnings = (*plan.warnings, Finding(reason="Sizing", message=tried))
    return plan.model_copy(update={"max_model_len": plan.max_model_len or None, "warnings": warnings})


def _laid_out(plan: PlanReport, model: Model, machine: Machine, overrides: VllmOverrides, found: Fit) -> PlanReport:
    nodes = plan.replicas * found.layout.nodes
    each = plan.price_per_hour / plan.replicas if plan.price_per_hour is not None and plan.replicas else None
    paid = until_ready(plan.steps, paid_only=True)
    warnings = [Finding(reason="Sizing", message=text) for text in concerns(model, machine, overrides, found)]
    return plan.model_copy(
        update={
            "nodes": nodes,
            "nodes_per_replica": found.layout.nodes,
            "tensor_parallel": found.layout.tensor,
            "pipeline_parallel": found.layout.pipeline,
            "data_parallel": found.layout.data,
            "max_model_len": found.context,
            "sequences_at_full_length": round(found.sequences, 1),
            "kv_cache_dtype": overrides.kv_dtype,
            "gpu_memory_utilization": round(utilization(machine, overrides), 4),
            "memory_per_gpu_gib": _memory(found.memory),
            "price_per_hour": None if each is None else round(each * nodes, 4),
            "price_until_ready": _price_until(each, nodes, paid),
            "warnings": tuple(warnings),
        }
    )


def _memory(memory: Memory) -> GpuMemory:
    return GpuMemory(
        weights=round(memory.weights, 2),
        kv_cache=round(memory.kv_cache, 2),
        activations=round(memory.activations, 2),
        cuda_graphs=round(memory.cuda_graphs, 2),
        overhead=round(memory.overhead, 2),
        not_given=round(memory.not_given, 2),
        usable=round(memory.usable, 2),
    )


def _with_alternatives(
    plan: PlanReport, model: Model, overrides: VllmOverrides, context: PlanContext, errors: list[Finding]
) -> PlanReport:
    """The errors with the machines on which one node is enough; if there are none, drops as many of the user's
    overrides as needed to name one."""
    found = machines_that_fit(model, context.region, overrides)
    limits = "" if found else "without the ConfigMap's limits "
    least = VllmOverrides(kv_dtype=overrides.kv_dtype, adapters=overrides.adapters, adapter_rank=overrides.adapter_rank)
    found = found or machines_that_fit(model, context.region, least)
    advice = f"{limits}one node is enough of {' or '.join(map(str, found))}" if found else "the table has none"
    advised = [error.model_copy(update={"message": f"{error.message}: {advice}"}) for error in errors]
    machines = tuple(
        AlternativeMachine(
            instance_type=machine.instance_type,
            max_model_len=machine.context,
            price_per_hour=machine.price_per_hour,
        )
        for machine in found
    )
    return plan.model_copy(update={"alternatives": machines, "errors": (*plan.errors, *advised)})


def _price_until(each: float | None, nodes: int, minutes: tuple[float, float]) -> PriceRange | None:
    if each is None:
        return None
    low, high = (round(each * nodes * length / 60, 2) for length in minutes)
    return PriceRange(least=low, most=high)


def _error(reason: str, message: str, path: str = "") -> Finding:
    return Finding(reason=reason, path=path, message=message)


def _machine_path(context: PlanContext) -> str:
    return "resource.labelSelector" if context.provider == "byo" else "resource.instanceType"


def _choose(which: str, context: PlanContext) -> str:
    return f"Choose {which} {'kind of node' if context.provider == 'byo' else 'instanceType'}"
