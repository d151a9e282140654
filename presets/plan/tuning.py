"""The part of a plan that only a training has: how it is trained, memory, volume, steps, and what is kept. Pure."""

from collections.abc import Mapping
from typing import Any

from api import labels
from api.configs.training import TrainingConfig
from api.resource.model import TuningSpec
from presets.machines.machine import Machine
from presets.models.catalog import Model
from presets.plan.checks import training_method
from presets.plan.context import PlanContext
from presets.plan.document import AlternativeMachine, Finding, PlanReport, TrainingMemory, TrainingShape
from presets.plan.durations import training_steps
from presets.serving.fit import DoesNotFit
from presets.tuning import memory as tuning_memory
from presets.tuning.fit import Memory, concerns, fit_training, machines_that_train, refusals, volume_gib
from presets.tuning.layer_choice import choice_problems
from presets.tuning.overrides import TrainingOverrides, training_overrides
from presets.tuning.target_modules import module_problems


def described_training(plan: PlanReport, tuning: TuningSpec, model: Model | None, context: PlanContext) -> PlanReport:
    """Everything that needs no sizing. Removes texts about serving."""
    weights = model.weights_gib if model else 0.0
    return plan.model_copy(
        update={
            "kind": "tuning",
            "method": training_method(tuning),
            "served_model_name": "",
            "vllm_options": {},
            "replicas": 1,
            "steps": training_steps(weights, context.data_gib, publishes=bool(tuning.output.image)),
        }
    )


def sized_training(
    plan: PlanReport, model: Model, machine: Machine, config: TrainingConfig, context: PlanContext
) -> PlanReport:
    """The plan with memory and volume, or with the errors that say why the training does not fit."""
    chosen = [_error_of(key, text) for key, text in choice_problems(config.lora, model)]
    if errors := chosen or [_error_of("target_modules", text) for text in module_problems(config.lora, model)]:
        return plan.model_copy(update={"errors": (*plan.errors, *errors)})
    overrides = training_overrides(config, plan.method, model)
    if not overrides.modules:
        message = f"{model.repo} has none of {', '.join(overrides.unknown_modules)}"
        message += f"; it has {', '.join(model.lora_targets)}, or use all-linear"
        return _with(plan, _error_of("target_modules", message))
    plan = plan.model_copy(update=_shape(model, machine, overrides, context))
    if against := refusals(model, machine, overrides):
        return _elsewhere(plan, model, overrides, context, f"{against[0]}. Choose another {_noun(context)}")
    try:
        memory = fit_training(model, machine, overrides)
    except DoesNotFit as error:
        if context.bypassed:
            message = f"{error}. It is tried, because {labels.BYPASS_RESOURCE_CHECKS} says so"
            return plan.model_copy(update={"warnings": (*plan.warnings, Finding(reason="Sizing", message=message))})
        return _elsewhere(plan, model, overrides, context, f"{error}. Or choose a larger {_noun(context)}")
    warnings = [Finding(reason="Sizing", message=text) for text in concerns(model, machine, overrides)]
    return plan.model_copy(update={"training_gib": _reported(memory), "warnings": (*plan.warnings, *warnings)})


def _error_of(key: str, text: str) -> Finding:
    return Finding(reason="ConfigInvalid", path="tuning.config", message=f"LoraConfig.{key}: {text}")


def _shape(model: Model, machine: Machine, overrides: TrainingOverrides, context: PlanContext) -> Mapping[str, Any]:
    volume = volume_gib(model, overrides, context.data_gib)
    return {
        "data_parallel": machine.gpus,
        "nodes_per_replica": 1,
        "volume_gib": volume,
        "kept_on_failure": (f"the volume of {volume} GiB with data, checkpoints and adapter",),
        "training": TrainingShape(
            max_length=overrides.length,
            batch_size=overrides.batch,
            accumulation=overrides.accumulation,
            rank=overrides.rank,
            modules=overrides.modules,
            trained_parameters=tuning_memory.adapter_parameters(model, overrides),
            packed_bits=overrides.bits,
            gradient_checkpointing=overrides.checkpointing,
        ),
    }


def _elsewhere(
    plan: PlanReport, model: Model, overrides: TrainingOverrides, context: PlanContext, message: str
) -> PlanReport:
    """The error with the machines on which the training fits as it is written."""
    found = machines_that_train(model, context.region, overrides)
    advice = f"it fits on {' or '.join(map(str, found))}" if found else "the table has none that is large enough"
    machines = tuple(
        AlternativeMachine(instance_type=machine.instance_type, price_per_hour=machine.price_per_hour)
        for machine in found
    )
    error = Finding(reason="DoesNotFit", path=_path(context), message=f"{message}: {advice}")
    return _with(plan.model_copy(update={"alternatives": machines}), error)


def _reported(memory: Memory) -> TrainingMemory:
    return TrainingMemory(
        weights=round(memory.weights, 2),
        adapter=round(memory.adapter, 2),
        activations=round(memory.activations, 2),
        overhead=round(memory.overhead, 2),
        free=round(memory.usable - memory.needed, 2),
        usable=round(memory.usable, 2),
    )


def _with(plan: PlanReport, error: Finding) -> PlanReport:
    return plan.model_copy(update={"errors": (*plan.errors, error)})


def _path(context: PlanContext) -> str:
    return "resource.labelSelector" if context.provider == "byo" else "resource.instanceType"


def _noun(context: PlanContext) -> str:
    return "kind of node" if context.provider == "byo" else "instanceType"
