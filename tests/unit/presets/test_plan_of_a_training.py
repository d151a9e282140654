"""The plan of a tuning Workspace: what fits where, what is refused with which way out, volume, steps, checks."""

from typing import Any

import pytest

from api.configs.training import TRAINING_KEY
from api.resource.status import Step
from presets.machines.machine import Machine
from presets.machines.skus import find_sku, sku_table
from presets.models.catalog import all_models, find_model
from presets.plan.context import PlanContext
from presets.plan.document import PlanReport
from presets.plan.judge import plan_document

A100 = "Standard_NC24ads_A100_v4"
A10 = "Standard_NV36ads_A10_v5"
V100 = Machine.of(find_sku("Standard_NC6s_v3"))
T4 = "Standard_NC4as_T4_v3"


def a_training(
    model: str = "phi-3-mini-128k-instruct",
    sku: str = A100,
    method: str = "qlora",
    config: str | None = None,
    *,
    resource: dict[str, Any] | None = None,
    output: dict[str, Any] | None = None,
    secret: str = "token",
    **context: Any,
) -> PlanReport:
    tuning: dict[str, Any] = {
        "preset": {"name": model, "presetOptions": {"modelAccessSecret": secret}},
        "method": method,
        "input": {"urls": ["https://data.example.com/rows.parquet"]},
        "output": output or {"image": "registry.example.com/adapters/a:1", "imagePushSecret": "push"},
    }
    if config is not None:
        tuning["config"] = "c"
    document: dict[str, Any] = {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": "w", "namespace": "default"},
        "resource": {"labelSelector": {"matchLabels": {"apps": "w"}}} | ({"instanceType": sku} if sku else {}),
        "tuning": tuning,
    }
    document["resource"] |= resource or {}
    config_maps = {"c": {"data": {TRAINING_KEY: f"training_config:\n{config}"}}}
    return plan_document(document, PlanContext(**({"config_maps": config_maps} | context)))


def reported(plan: PlanReport) -> str:
    return " | ".join(f"{error.reason} {error}" for error in plan.errors)


@pytest.mark.parametrize("method", ["lora", "qlora"])
@pytest.mark.parametrize("sku", [T4, A100])
def test_kaitos_first_examples_fit(sku: str, method: str) -> None:
    plan = a_training(sku=sku, method=method)
    assert not plan.errors, reported(plan)
    assert (plan.kind, plan.method, plan.nodes, plan.gpus_per_node) == ("tuning", method, 1, 1)
    assert plan.training_gib and plan.training_gib.free > 0
    parts = plan.training_gib.model_dump()
    usable = parts.pop("usable")
    assert sum(parts.values()) == pytest.approx(usable, abs=0.05)


def test_steps_have_the_names_of_the_status_in_the_order_of_the_work() -> None:
    names = [step.step for step in a_training().steps]
    assert names == [
        "Preflight", "FetchData", "ProvisionNodes", "AwaitNodes", "Train", "ReleaseNodes", "Publish", "Verify",
    ]  # fmt: skip
    assert set(names) <= set(Step)
    unpaid = [step.step for step in a_training().steps if not step.paid]
    assert unpaid == ["Preflight", "FetchData", "Publish", "Verify"]


def test_what_is_written_to_a_volume_is_not_published() -> None:
    claim = {"volumeSource": {"persistentVolumeClaim": {"claimName": "results"}}}
    plan = a_training(output=claim)
    assert "Publish" not in [step.step for step in plan.steps]
    assert not any(check.startswith("OutputWritable") for check in plan.preflight)


def test_the_right_to_push_and_the_storage_class_are_checked_first() -> None:
    plan = a_training()
    assert "OutputWritable: the account of Secret push may push to registry.example.com/adapters/a:1" in plan.preflight
    assert any(check.startswith("StorageClass:") for check in plan.preflight)
    assert any("token of Secret token" in check for check in plan.preflight)


def test_nodes_are_released_and_the_volume_is_kept() -> None:
    plan = a_training()
    assert plan.released_on_failure[0].startswith("node pool with 1 node")
    assert plan.kept_on_failure == (f"the volume of {plan.volume_gib} GiB with data, checkpoints and adapter",)


def test_too_little_memory_names_qlora_and_machines_that_would_do_and_they_do() -> None:
    plan = a_training("phi-4", A10, "lora")
    (error,) = plan.errors
    assert error.reason == "DoesNotFit" and "It fits with method: qlora" in error.message
    assert not a_training("phi-4", A10, "qlora").errors
    assert plan.alternatives
    for machine in plan.alternatives:
        assert machine.instance_type in error.message
        assert not a_training("phi-4", machine.instance_type, "lora").errors


def test_a_batch_that_is_too_large_is_answered_with_one_that_is_not() -> None:
    config = "  TrainingArguments: {per_device_train_batch_size: 64}"
    plan = a_training("llama-3.1-8b-instruct", A10, "lora", config)
    (error,) = plan.errors
    shown = int(error.message.partition("per_device_train_batch_size: ")[2].split()[0].rstrip("."))
    config = f"  TrainingArguments: {{per_device_train_batch_size: {shown}}}"
    again = a_training("llama-3.1-8b-instruct", A10, "lora", config)
    assert not again.errors, reported(again)
    assert again.training and again.training.batch_size == shown


def test_where_one_change_is_not_enough_two_are_named() -> None:
    config = "  TrainingArguments: {max_length: 32768}"
    plan = a_training("phi-4", A10, "lora", config)
    assert "method: qlora and max_length: " in plan.errors[0].message
    shown = plan.errors[0].message.partition("max_length: ")[2].split()[0].rstrip(".")
    four = "  QuantizationConfig: {load_in_4bit: true}\n"
    assert not a_training("phi-4", A10, "qlora", f"{four}  TrainingArguments: {{max_length: {shown}}}").errors


def test_every_gpu_of_a_machine_trains_a_copy() -> None:
    one, two = a_training(), a_training(sku="Standard_NC48ads_A100_v4")
    assert (one.data_parallel, two.data_parallel) == (1, 2)
    assert one.training_gib and two.training_gib
    assert one.training_gib.weights == two.training_gib.weights
    assert one.training_gib.adapter < two.training_gib.adapter


def test_several_nodes_are_refused_with_what_to_change() -> None:
    plan = a_training(resource={"count": 2})
    assert "does not currently support multinode configurations; use 1" in reported(plan)
    assert plan.errors[0].path == "resource.count"


@pytest.mark.parametrize(
    ("change", "reason", "says"),
    [
        ({"model": "phi-33"}, "PresetUnknown", "phi-3"),
        ({"model": "llama-3.1-8b-instruct", "secret": ""}, "ModelGated", "modelAccessSecret"),
        ({"model": "openai/gpt-oss-20b"}, "ModelNotTunable", "quantized (mxfp4)"),
        ({"model": "some/model"}, "PresetUnknown", "the hub was not queried"),
        ({"sku": "Standard_NC24"}, "InstanceTypeUnknown", "Standard_NC24"),
        ({"method": "dora"}, "InvalidSpec", "must be one of lora, qlora"),
        ({"sku": "Standard_ND96isr_MI300X_v5"}, "DoesNotFit", "built for NVIDIA's"),
        ({"config": "  LoraConfig: {use_dora: true}", "method": "lora"}, "ConfigInvalid", "DoRA"),
        ({"config": "  LoraConfig: {r: 8}"}, "ConfigInvalid", "for method qlora"),
        ({"config": "  LoraConfig: {target_modules: [q_proj]}", "method": "lora"}, "ConfigInvalid", "it has qkv_proj"),
        ({"config": "", "config_maps": {}}, "ConfigNotFound", "ConfigMap 'c' specified in 'config' not found"),
        ({"sku": "Standard_NC6s_v3"}, "InstanceTypeUnknown", "Azure retired it (NVIDIA V100) on 2025-09-30"),
        ({"sku": "", "provider": "byo", "machine": V100}, "DoesNotFit", "needs 7.5"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_its_reason(change: dict[str, Any], reason: str, says: str) -> None:
    plan = a_training(**change)
    assert plan.errors[0].reason == reason and says in reported(plan), reported(plan)
    assert plan.kind == "tuning"


def test_the_config_is_read_and_its_warnings_are_the_plans() -> None:
    config = (
        "  LoraConfig: {r: 64, target_modules: [o_proj, q_proj], task_type: CAUSAL_LM}\n"
        "  TrainingArguments: {per_device_train_batch_size: 2, max_length: 512, gradient_accumulation_steps: 8}"
    )
    plan = a_training(config=config, method="lora")
    assert plan.training
    shape = plan.training
    assert (shape.rank, shape.modules, shape.batch_size, shape.accumulation, shape.max_length) == (
        64, ("o_proj",), 2, 8, 512,
    )  # fmt: skip
    assert shape.trained_parameters == 32 * 64 * (3072 + 3072)
    reasons = [warning.reason for warning in plan.warnings]
    assert "Note" in reasons and "Sizing" in reasons
    assert any("has no q_proj" in warning.message for warning in plan.warnings)


def test_a_config_that_is_not_available_is_a_warning() -> None:
    plan = a_training(config="", config_maps=None)
    assert not plan.errors
    assert [warning.reason for warning in plan.warnings] == ["ConfigNotRead"]


def test_no_bfloat16_is_a_warning() -> None:
    assert any("computes in float16" in warning.message for warning in a_training(sku=T4).warnings)


def test_nodes_of_ones_own_are_sized_where_they_are_known() -> None:
    plan = a_training(sku="", provider="byo", machine=Machine.of(find_sku(A10)))
    assert not plan.errors and plan.training_gib and plan.training_gib.usable == 22.06
    unknown = a_training(sku="", provider="byo")
    assert not unknown.errors and unknown.training_gib is None


def test_the_volume_grows_with_what_is_kept_and_is_as_large_as_a_disk() -> None:
    small = a_training()
    config = "  LoraConfig: {r: 512}\n  TrainingArguments: {save_total_limit: 20}"
    large = a_training("llama-3.3-70b-instruct", "Standard_ND96isr_H200_v5", "lora", config)
    assert small.volume_gib == 32
    assert large.volume_gib and large.volume_gib > 1024


def test_more_of_anything_takes_more() -> None:
    def needed(config: str) -> float:
        plan = a_training("llama-3.1-8b-instruct", "Standard_NC40ads_H100_v5", "lora", config)
        assert plan.training_gib, reported(plan)
        return plan.training_gib.usable - plan.training_gib.free

    base = needed("  LoraConfig: {r: 8}")
    assert needed("  LoraConfig: {r: 64}") > base
    assert needed("  TrainingArguments: {per_device_train_batch_size: 4}") > base
    assert needed("  TrainingArguments: {max_length: 8192}") > base
    assert needed("  TrainingArguments: {gradient_checkpointing: false}") > base
    assert needed("  TrainingArguments: {label_smoothing_factor: 0.1}") > base


def test_every_model_that_can_be_tuned_can_be_planned_on_every_kind_of_gpu() -> None:
    kinds = {sku.gpu_model: sku for sku in sku_table().skus if sku.gpus}.values()
    for model in (model for model in all_models() if model.lora_targets):
        for sku in kinds:
            for method in ("lora", "qlora"):
                plan = a_training(model.repo, sku.name, method)
                assert bool(plan.errors) != bool(plan.training_gib), f"{model.repo} on {sku.name}: {reported(plan)}"
        assert find_model(model.repo) is model
