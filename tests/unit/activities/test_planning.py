"""From a Workspace to a Plan, and every reason why there is none."""

import copy
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.contract.plan import Deadlines, Option, Plan
from activities.planning.options import plan_option
from activities.planning.planner import digest_of
from api.configs.arguments import arguments_in
from api.configs.inference import INFERENCE_KEY
from api.policy.reading import parse_policy
from presets.machines.skus import sku_table
from presets.models.catalog import all_models, find_model
from presets.plan.context import PlanContext

UID = "0b6f3c1e-5c1f-4c8e-9a55-6f0d3f8d1a11"


def a_workspace(**changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": "w", "namespace": "default", "uid": UID, "generation": 3},
        "resource": {
            "instanceType": "standard_nc24ads_a100_v4",
            "labelSelector": {"matchLabels": {"apps": "w", "kaito.sh/workspace": "other"}},
        },
        "inference": {"preset": {"name": "phi-4"}},
    }
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = document
        for parent in parents:
            place = place[parent]
        if value is None:
            place.pop(last)
        else:
            place[last] = value
    return document


def planned(document: dict[str, Any], config: str | None = None) -> Plan:
    return planned_and_told(document, config).plan


def planned_and_told(document: dict[str, Any], config: str | None = None) -> Option:
    config_maps = {} if config is None else {"c": {"data": {INFERENCE_KEY: config}}}
    if config is not None:
        document["inference"]["config"] = "c"
    return plan_option(document, PlanContext(region="eastus", config_maps=config_maps), Deadlines())


def test_a_plan_has_azures_spelling_a_price_and_a_pool_of_its_own() -> None:
    plan = planned(a_workspace())
    assert plan.instance_type == "Standard_NC24ads_A100_v4"
    assert plan.model == "microsoft/phi-4"
    assert (plan.generation, plan.node_count, plan.gpus_per_node) == (3, 1, 1)
    assert plan.price_per_hour == pytest.approx(3.673)
    assert plan.pool_name.startswith("ws") and len(plan.pool_name) == 12
    assert plan.node_labels == {"apps": "w"}, "KAITO's own keys are not the user's to set"
    assert plan.max_model_len == 16384


REFUSED = [
    pytest.param({"inference": None}, "SectionMissing", "neither", id="no section"),
    pytest.param({"tuning": {"input": {}, "output": {}}}, "SectionMissing", "both", id="both sections"),
    pytest.param({"inference__preset__name": "phi-44"}, "PresetUnknown", "phi-4", id="unknown preset"),
    pytest.param({"resource__instanceType": "Standard_NC24ads_A100_v5"}, "InstanceTypeUnknown",
                 "did you mean", id="sku"),
    pytest.param({"resource__instanceType": None}, "InstanceTypeMissing", "Standard_NC24ads", id="no sku"),
    pytest.param({"resource__count": 0}, "InvalidSpec", "use 1 to 1000", id="count"),
    pytest.param({"inference__template": {}}, "InvalidSpec", "at the same time", id="preset and template"),
    pytest.param({"resource__labelSelector": {"matchLabels": {"kubernetes.io/role": "x"}}}, "InvalidSpec",
                 "kubernetes.io/role", id="label that a kubelet refuses"),
    pytest.param({"inference__preset": {"name": "llama-3.1-8b-instruct"}}, "ModelGated",
                 "modelAccessSecret", id="gated"),
    pytest.param({"inference__preset": {"name": "falcon-40b"}, "resource__instanceType": "Standard_NV36ads_A10_v5"},
                 "DoesNotFit", "GiB", id="too large"),
    pytest.param({"inference__presett": {}}, "InvalidSpec", "presett", id="unknown field"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "reason", "says"), REFUSED)
def test_a_workspace_that_cannot_work_is_refused_with_what_to_change(
    changes: dict[str, Any], reason: str, says: str
) -> None:
    with pytest.raises(ApplicationError) as caught:
        planned(a_workspace(**changes))
    assert caught.value.type == reason
    assert says in caught.value.message
    assert caught.value.non_retryable


def test_the_digest_follows_what_shapes_the_pods_and_nothing_else() -> None:
    document, images = a_workspace(), ("r", "f")
    digest = digest_of(document, "", images)
    relabelled = copy.deepcopy(document)
    relabelled["metadata"]["labels"] = {"team": "a"}
    assert digest_of(relabelled, "", images) == digest
    assert digest_of(document, '{"max-model-len": 100}', images) != digest
    assert digest_of(document, "", ("r2", "f")) != digest
    assert digest_of(a_workspace(resource__count=2), "", images) != digest


def test_the_plan_comes_with_the_whole_report() -> None:
    option = planned_and_told(a_workspace())
    plan, report = option.plan, option.report
    assert (report.max_model_len, report.price_per_hour) == (plan.max_model_len, plan.price_per_hour)
    assert report.memory_per_gpu_gib is not None
    assert report.memory_per_gpu_gib.weights == pytest.approx(27.6, abs=0.1)
    assert Option.model_validate_json(option.model_dump_json()) == option


def test_the_options_of_the_config_map_are_sized_for() -> None:
    config = "vllm: {max-model-len: 8000, tensor-parallel-size: 2, gpu-memory-utilization: 0.8, kv-cache-dtype: fp8}"
    option = planned_and_told(a_workspace(resource__instanceType="Standard_NC48ads_A100_v4"), config)
    plan, report = option.plan, option.report
    assert (plan.max_model_len, plan.tensor_parallel, plan.data_parallel) == (8000, 2, 1)
    assert (plan.gpu_memory_utilization, report.kv_cache_dtype) == (0.8, "fp8")


REFUSED_CONFIGS = [
    pytest.param("vllm: {max-model-len: 20000}", "ConfigInvalid", "20000 exceeds .* 16384", id="longer than the model"),
    pytest.param("vllm: {tensor-parallel-size: 2}", "ConfigInvalid", "ask for 2 GPUs, and .* has 1", id="more GPUs"),
    pytest.param("vllm: {gpu-memory-utilization: 1.0}", "ConfigInvalid", "use at most 0.99", id="all of the memory"),
    pytest.param("vllm: {gpu-memory-utilization: 0.3}", "DoesNotFit", "given 23.7 GiB", id="too little of it"),
    pytest.param("vllm: {max-num-batched-tokens: 100}", "ConfigInvalid", "less than max-num-seqs 256", id="batch"),
    pytest.param("vllm: {max-modellen: 100}", "ConfigInvalid", "max-model", id="misspelled"),
    pytest.param("vllm: [", "ConfigInvalid", "inference.config", id="no YAML"),
]


@pytest.mark.parametrize(("config", "reason", "says"), REFUSED_CONFIGS)
def test_a_config_map_that_cannot_work_is_refused_with_numbers(config: str, reason: str, says: str) -> None:
    with pytest.raises(ApplicationError, match=says) as caught:
        planned(a_workspace(), config)
    assert caught.value.type == reason


def test_a_model_that_needs_several_nodes_is_refused_with_the_machines_that_would_do() -> None:
    document = a_workspace(inference__preset={"name": "falcon-40b"})
    with pytest.raises(
        ApplicationError,
        match=r"2 nodes.*larger instanceType: one node is enough of Standard_NC48ads_A100_v4 \(\$7.35/h",
    ):
        planned(document)


def test_a_rule_of_admission_that_the_webhook_did_not_see_is_kept() -> None:
    document = a_workspace(resource__labelSelector={"matchLabels": {"apps": "no spaces please"}})
    with pytest.raises(ApplicationError) as caught:
        planned(document)
    assert caught.value.type == "InvalidSpec"


def test_a_large_model_is_given_the_time_that_its_download_takes() -> None:
    assert planned(a_workspace()).deadlines == Deadlines()
    large = a_workspace(
        resource__instanceType="Standard_ND96isr_H200_v5", inference__preset={"name": "deepseek-ai/DeepSeek-V3-0324"}
    )
    assert planned(large).deadlines.serving >= 180 * 60


def test_no_model_gets_less_time_than_its_plan_announces() -> None:
    sizes = [sku.name for sku in sku_table().skus if sku.gpus and not sku.retired]
    for model in all_models():
        machine = next((size for size in reversed(sizes) if not refused_on(size, model.repo)), None)
        if machine is None:
            continue
        option = planned_and_told(on(machine, model.repo))
        announced = option.report.minutes_until_ready
        assert announced and option.plan.deadlines.serving >= 60 * announced.most, model.repo


def on(machine: str, model: str) -> dict[str, Any]:
    preset = {"name": model, "presetOptions": {"modelAccessSecret": "token"}}
    return a_workspace(resource__instanceType=machine, inference__preset=preset)


def refused_on(machine: str, model: str) -> bool:
    try:
        planned(on(machine, model))
    except ApplicationError:
        return True
    return False


MODE, BALANCER = "kaito.sh/performance-mode", "kaito.sh/enablelb"


@pytest.mark.parametrize(("value", "mode"), [("balanced", None), ("throughput", "throughput")])
def test_the_performance_mode_is_vllms_option(value: str, mode: str | None) -> None:
    document = a_workspace()
    document["metadata"]["annotations"] = {MODE: value}
    assert planned(document).vllm_options.get("performance-mode") == mode
    assert "performance-mode" in arguments_in("vllm_arguments.yaml")


@pytest.mark.parametrize(
    ("value", "policy", "balancer"),
    [
        pytest.param("True", None, "public", id="KAITO's"),
        pytest.param("true", None, "", id="not KAITO's"),
        pytest.param("True", "defaults: {loadBalancers: internal}", "internal", id="internal"),
    ],
)
def test_a_load_balancer_is_as_public_as_the_policy_allows(value: str, policy: str | None, balancer: str) -> None:
    document = a_workspace()
    document["metadata"]["annotations"] = {BALANCER: value}
    around = PlanContext(region="eastus", policy=parse_policy(policy) if policy else None)
    assert plan_option(document, around, Deadlines()).plan.load_balancer == balancer


def test_a_load_balancer_that_the_policy_forbids_is_refused() -> None:
    document = a_workspace()
    document["metadata"]["annotations"] = {BALANCER: "True"}
    around = PlanContext(region="eastus", policy=parse_policy("defaults: {loadBalancers: none}"))
    with pytest.raises(ApplicationError, match="load balancers are not allowed here") as caught:
        plan_option(document, around, Deadlines())
    assert caught.value.type == "PolicyRefused"


def test_a_template_may_be_on_a_machine_that_nobody_has_a_row_of() -> None:
    template = {"spec": {"containers": [{"name": "a", "image": "example.com/a:1"}]}}
    document = a_workspace(resource__instanceType="Standard_D4ds_v5", inference={"template": template})
    plan = planned(document)
    assert (plan.kind, plan.instance_type, plan.gpus_per_node) == ("template", "Standard_D4ds_v5", 0)
    assert (plan.price_per_hour, plan.vcpus_per_node) == (None, 0)


ADAPTERS: list[dict[str, Any]] = [
    {"source": {"name": "facts", "image": "registry.example.com/facts:1"}, "strength": "0.5"},
    {"source": {"name": "tone", "volumeSource": {"persistentVolumeClaim": {"claimName": "tone"}}}},
]


@pytest.mark.parametrize("version", ["kaito.sh/v1alpha1", "kaito.sh/v1beta1"])
def test_adapters_are_planned_by_name_only(version: str) -> None:
    plan = planned(a_workspace(apiVersion=version, inference__adapters=ADAPTERS))
    assert plan.adapters == ("facts", "tone")
    assert "registry.example.com" not in plan.model_dump_json()
    assert planned(a_workspace()).adapters == ()


@pytest.mark.parametrize(
    ("preset", "words"),
    [
        ("falcon-7b-instruct", "FalconForCausalLM"),
        ("phi-4", "model's own name"),
    ],
)
def test_adapters_that_cannot_be_served_are_refused_before_anything_is_bought(preset: str, words: str) -> None:
    adapters = [{"source": {"name": "phi-4", "image": "registry.example.com/facts:1"}}]
    with pytest.raises(ApplicationError, match=words) as caught:
        planned(a_workspace(inference__preset={"name": preset}, inference__adapters=adapters))
    assert (caught.value.type, caught.value.non_retryable) == ("AdapterNotServable", True)


def test_a_model_of_the_hub_is_checked_for_its_class() -> None:
    model = find_model("phi-4").model_copy(update={"repo": "org/own", "architecture": "BloomForCausalLM"})
    document = a_workspace(inference__preset={"name": "org/own"}, inference__adapters=ADAPTERS)
    with pytest.raises(ApplicationError, match="org/own is a BloomForCausalLM") as caught:
        plan_option(document, PlanContext(region="eastus", model=model), Deadlines())
    assert caught.value.type == "AdapterNotServable"


def overhead(document: dict[str, Any], config: str | None = None) -> float:
    memory = planned_and_told(document, config).report.memory_per_gpu_gib
    assert memory is not None
    return memory.overhead


def test_room_for_adapters_is_planned_and_higher_ranks_take_more() -> None:
    alone, two = overhead(a_workspace()), overhead(a_workspace(inference__adapters=ADAPTERS))
    wide = overhead(a_workspace(inference__adapters=ADAPTERS), "vllm:\n  max-lora-rank: 256\n")
    # phi-4: 40 layers of 5120, 20 hidden sizes wide, in 16 bits.
    each = 20 * 5120 * 40 * 64 * 2 / 2**30
    assert two - alone == pytest.approx(2 * each, abs=0.02)
    assert wide - alone == pytest.approx(8 * each, abs=0.02)


def test_an_edited_adapter_rolls_out() -> None:
    digest = digest_of(a_workspace(inference__adapters=ADAPTERS), "", ("r", "f"))
    weaker = copy.deepcopy(ADAPTERS)
    weaker[0]["strength"] = "0.25"
    assert digest_of(a_workspace(inference__adapters=weaker), "", ("r", "f")) != digest
