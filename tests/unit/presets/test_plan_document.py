"""What a plan says: refusals with their reason, warnings, machines that would do, price, time and what is checked."""

from typing import Any

import pytest

from api.configs.inference import INFERENCE_KEY
from presets.machines.machine import Machine
from presets.machines.skus import find_sku, sku_table
from presets.models.catalog import all_models, find_model
from presets.plan.context import PlanContext
from presets.plan.document import PlanReport
from presets.plan.durations import step_times, until_ready
from presets.plan.judge import plan_document
from presets.serving.alternatives import machines_that_fit
from presets.serving.fit import fit

A100 = "Standard_NC24ads_A100_v4"


def a_plan(model: str = "phi-4", sku: str = A100, config: str | None = None, **context: Any) -> PlanReport:
    inference: dict[str, Any] = {"preset": {"name": model, "presetOptions": {"modelAccessSecret": "token"}}}
    inference |= context.pop("inference", {})
    resource: dict[str, Any] = {"labelSelector": {"matchLabels": {"apps": "w"}}}
    if sku:
        resource["instanceType"] = sku
    if config:
        inference["config"] = "c"
    document = {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": "w", "namespace": "default", "annotations": context.pop("annotations", {})},
        "resource": resource | context.pop("resource", {}),
        "inference": inference,
    }
    config_maps = {"c": {"data": {INFERENCE_KEY: config}}}
    return plan_document(document, PlanContext(config_maps=config_maps, **context))


def reasons(plan: PlanReport) -> list[str]:
    return [error.reason for error in plan.errors]


@pytest.mark.parametrize(
    ("model", "sku", "says"),
    [
        pytest.param("phi-4", "Standard_ND96isr_MI300X_v5", "NVIDIA", id="AMD"),
        pytest.param("deepseek-ai/DeepSeek-V3.2", "Standard_ND96amsr_A100_v4", "sparse attention", id="sparse, A100"),
        pytest.param("openai/gpt-oss-20b", "Standard_NC64as_T4_v3", "capability 8.0", id="mxfp4, T4"),
    ],
)
def test_gpus_that_cannot_do_it_are_refused_whatever_their_memory(model: str, sku: str, says: str) -> None:
    plan = a_plan(model, sku)
    assert reasons(plan) == ["DoesNotFit"]
    assert says in plan.errors[0].message
    assert plan.alternatives


@pytest.mark.parametrize(
    ("model", "sku", "says"),
    [
        pytest.param("phi-3-mini-4k-instruct", "Standard_NC4as_T4_v3", "no bfloat16", id="T4"),
        pytest.param("granite-4.1-8b", "Standard_NV36ads_A10_v5", "tokens of context fit", id="little context"),
        pytest.param("Qwen/Qwen3.6-35B-A3B-FP8", A100, "does not compute in fp8", id="fp8 on A100"),
        pytest.param("falcon-40b", A100, "no InfiniBand", id="stages over Ethernet"),
    ],
)
def test_what_may_disappoint_is_a_warning(model: str, sku: str, says: str) -> None:
    name = next((entry.repo for entry in all_models() if entry.repo.endswith(f"/{model}")), model)
    assert any(says in warning.message for warning in a_plan(name, sku).warnings)


def test_idle_gpus_are_a_warning() -> None:
    config = "vllm: {tensor-parallel-size: 1, pipeline-parallel-size: 1, data-parallel-size: 1}"
    plan = a_plan(sku="Standard_NC48ads_A100_v4", config=config)
    assert [warning.message for warning in plan.warnings] == ["1 of 2 GPUs of Standard_NC48ads_A100_v4 are left idle"]


def test_several_errors_are_reported_at_once() -> None:
    assert reasons(a_plan("phi-44", "Standard_NC24")) == ["PresetUnknown", "InstanceTypeUnknown"]


def test_several_nodes_are_shown_with_their_price_and_refused() -> None:
    plan = a_plan("llama-3.3-70b-instruct", annotations={"modelyard.dev/replicas": "2"})
    assert reasons(plan) == ["DoesNotFit"]
    assert (plan.replicas, plan.nodes_per_replica, plan.nodes, plan.pipeline_parallel) == (2, 2, 4, 2)
    assert plan.price_per_hour == pytest.approx(4 * 3.673)


def test_the_machines_that_would_do_are_the_cheapest_and_they_do() -> None:
    model = find_model("llama-3.3-70b-instruct")
    found = machines_that_fit(model, "eastus")
    prices = [machine.price_per_hour for machine in found]
    assert len(found) == 3 and prices == sorted(prices, key=lambda price: (price is None, price))
    for machine in found:
        assert fit(model, Machine.of(find_sku(machine.instance_type)), most_nodes=1).context == machine.context
    cheaper = [sku for sku in sku_table().skus if sku.gpus and (sku.price("eastus") or 1e9) < (prices[0] or 0)]
    assert cheaper and not any(_serves(model.repo, sku.name) for sku in cheaper if not sku.retired)


def _serves(model: str, sku: str) -> bool:
    return not reasons(a_plan(model, sku))


def test_where_the_overrides_leave_no_machine_one_is_named_without_them() -> None:
    plan = a_plan("falcon-40b", config="vllm: {gpu-memory-utilization: 0.01}")
    assert "without the ConfigMap's limits" in plan.errors[0].message


@pytest.mark.parametrize("document", [{}, {"kind": "Workspace"}, {"metadata": 3}, {"apiVersion": [], "kind": "x"}])
def test_a_document_that_is_not_a_workspace_is_invalid(document: dict[str, Any]) -> None:
    assert reasons(plan_document(document, PlanContext()))[0] == "InvalidSpec"


def test_a_price_is_for_all_replicas_and_null_where_it_is_not_known() -> None:
    assert a_plan(annotations={"modelyard.dev/replicas": "3"}).price_per_hour == pytest.approx(3 * 3.673)
    unknown = a_plan(region="atlantis")
    assert (unknown.price_per_hour, unknown.price_until_ready) == (None, None)


def test_a_template_is_planned_without_sizes() -> None:
    template = {"spec": {"containers": [{"name": "x", "image": "example.com/x:1"}]}}
    document = {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": "w", "namespace": "default"},
        "resource": {"instanceType": A100, "labelSelector": {"matchLabels": {"apps": "w"}}},
        "inference": {"template": template},
    }
    plan = plan_document(document, PlanContext())
    assert (plan.kind, plan.nodes, plan.max_model_len, plan.errors) == ("template", 1, None, ())
    assert plan.price_per_hour == 3.673


def test_concurrent_steps_count_once() -> None:
    steps = step_times(100.0)
    least, most = until_ready(steps)
    pull = next(step for step in steps if step.step == "PullImages")
    assert least == pytest.approx(sum(step.least for step in steps) - pull.least)
    assert most == pytest.approx(sum(step.most for step in steps) - pull.most)
    assert until_ready(steps, paid_only=True)[0] < least
    assert all(step.least <= step.most and step.source for step in steps)


def test_more_weights_take_longer() -> None:
    assert until_ready(step_times(200.0)) > until_ready(step_times(20.0))


def test_every_model_of_the_catalogue_can_be_planned_on_every_kind_of_gpu() -> None:
    kinds = {sku.gpu_model: sku for sku in sku_table().skus}.values()
    for model in all_models():
        for sku in kinds:
            plan = a_plan(model.repo, sku.name)
            assert plan.errors or plan.max_model_len, f"{model.repo} on {sku.name}"
            assert all(error.message for error in plan.errors)


def test_a_context_that_is_too_long_is_answered_with_one_that_is_not() -> None:
    plan = a_plan("llama-3.1-8b-instruct", "Standard_NV36ads_A10_v5", config="vllm: {max-model-len: 100000}")
    (error,) = plan.errors
    shown = int(error.message.partition("At most ")[2].split()[0])
    again = a_plan("llama-3.1-8b-instruct", "Standard_NV36ads_A10_v5", config=f"vllm: {{max-model-len: {shown}}}")
    assert again.errors == () and again.max_model_len == shown


@pytest.mark.parametrize(
    ("annotations", "sku", "provider"),
    [
        pytest.param({"kaito.sh/node-provisioner": "azure-gpu-provisioner"}, A100, "karpenter", id="KAITO's word"),
        pytest.param({"modelyard.dev/node-provider": "byo"}, "", "byo", id="ours"),
        pytest.param({}, A100, "aks", id="none"),
    ],
)
def test_the_workspaces_own_provider_wins(annotations: dict[str, str], sku: str, provider: str) -> None:
    plan = a_plan(sku=sku, annotations=annotations)
    assert plan.provider == provider and not plan.errors
    assert (plan.price_per_hour is None) == (provider == "byo")


def test_an_unknown_value_is_an_error_of_the_plan() -> None:
    plan = a_plan(annotations={"modelyard.dev/node-provider": "gcp"})
    assert plan.provider == "aks" and reasons(plan) == ["InvalidSpec"]


def test_checks_and_purchase_options_have_the_names_of_the_status() -> None:
    plan = a_plan()
    assert [line.partition(":")[0] for line in plan.preflight] == [
        "SkuOffered", "VcpuQuota", "PoolLimit", "GpusOffered", "ModelReadable", "ImagesPullable",
    ]  # fmt: skip
    assert plan.ways_to_get_nodes == ()


def test_a_price_above_the_limit_and_every_purchase_option_are_reported() -> None:
    annotations = {
        "modelyard.dev/max-price-per-hour": "1.00",
        "modelyard.dev/capacity-types": "spot,on-demand",
        "modelyard.dev/zones": "1",
    }
    document = {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": "w", "namespace": "default", "annotations": annotations},
        "resource": {"instanceType": A100, "labelSelector": {"matchLabels": {"apps": "w"}}},
        "inference": {"preset": {"name": "phi-4"}},
    }
    plan = plan_document(document, PlanContext())
    assert plan.ways_to_get_nodes == (f"{A100} as spot in zone 1", f"{A100} in zone 1")
    assert [warning.reason for warning in plan.warnings] == ["PriceAboveLimit"]
    assert "VcpuQuota: 24 vCPUs of lowPriorityCores are left in eastus" in plan.preflight, "spot comes first"
    assert "PriceLimit: all nodes together cost at most $1.00 per hour at list price" in plan.preflight


EXPERTS = "Qwen/Qwen3.6-35B-A3B"
ONE_ADAPTER = {"adapters": [{"source": {"name": "a", "image": "registry.example.com/a:1"}}]}


@pytest.mark.parametrize(
    ("model", "inference", "config", "reported"),
    [
        pytest.param(EXPERTS, ONE_ADAPTER, None, True, id="experts"),
        pytest.param(EXPERTS, ONE_ADAPTER, "vllm: {max-model-len: 4096}", True, id="modules not named"),
        pytest.param(EXPERTS, ONE_ADAPTER, "vllm: {lora-target-modules: [q_proj]}", False, id="modules named"),
        pytest.param(EXPERTS, {}, None, False, id="no adapter"),
        pytest.param("phi-4", ONE_ADAPTER, None, False, id="dense"),
    ],
)
def test_memory_for_experts_adapters_that_is_not_counted_is_a_warning(
    model: str, inference: dict[str, Any], config: str | None, reported: bool
) -> None:
    plan = a_plan(model, "Standard_NC80adis_H100_v5", config, inference=inference)
    warnings = {warning.reason: warning.message for warning in plan.warnings}
    assert ("ExpertsNotReckoned" in warnings) is reported
    if reported:
        assert "lora-target-modules" in warnings["ExpertsNotReckoned"]
