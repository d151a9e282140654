"""Admission, `validate`, `plan` and the planner have one judge: what one refuses all refuse, in the same words."""

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.configs.inference import INFERENCE_KEY
from api.configs.training import TRAINING_KEY
from api.policy.reading import parse_policy
from api.validation.rules import reason_of
from presets.machines.machine import Machine
from presets.machines.skus import find_sku, sku_table
from presets.models.catalog import all_models
from presets.plan.context import PlanContext
from presets.plan.document import Finding
from presets.plan.judge import plan_document, problems_on_create, problems_on_update

Obj = dict[str, Any]
A100 = "Standard_NC24ads_A100_v4"
NAMES = [name for model in all_models() for name in (*model.aliases, model.repo)]
SIZES = [sku.name for sku in sku_table().skus]
POLICY = parse_policy("defaults: {nodes: 2, machineTypes: ['Standard_N*'], loadBalancers: none}")
EIGHT_GPUS = {"nvidia.com/gpu": 8}
TEMPLATES = [
    {"spec": {"containers": [{"name": "a", "image": "example.com/a:1"}]}},
    {"spec": {"containers": [{"name": "a", "image": "example.com/a:1", "resources": {"limits": EIGHT_GPUS}}]}},
    {"spec": {}},
]  # fmt: skip
INFERENCE_CONFIGS = [
    None, "vllm: {}", "vllm: {max-model-len: 4096}", "vllm: {max-model-len: 1000000}", "vllm: {swap-space: 4}",
    "vllm: {tensor-parallel-size: 8}", "vllm: {gpu-memory-utilization: 0.3}", "vllm: {kv-cache-dtype: fp8}",
    "vllm: {no-such-option: 1}", "vllm: {max-num-seqs: 512, max-num-batched-tokens: 256}", "vllm: [",
]  # fmt: skip
TRAINING_CONFIGS = [
    None, "training_config: {}", "training_config: {LoraConfig: {r: 64}}",
    "training_config: {LoraConfig: {target_modules: [nothing]}}", "training_config: {LoraConfig: {use_dora: true}}",
    "training_config: {TrainingArguments: {per_device_train_batch_size: 64, max_length: 8192}}",
]  # fmt: skip
ANNOTATIONS = {
    "modelyard.dev/node-provider": ["aks", "karpenter", "byo", "gke"],
    "modelyard.dev/replicas": ["1", "2", "3", "many"],
    "modelyard.dev/instance-type-fallbacks": ["Standard_NC48ads_A100_v4", "Standard_NC6s_v3", "nothing"],
    "modelyard.dev/max-price-per-hour": ["1.00", "x"],
    "modelyard.dev/capacity-types": ["spot", "spot,on-demand"],
    "kaito.sh/bypass-resource-checks": ["true"],
    "kaito.sh/runtime": ["transformers"],
    "kaito.sh/performance-mode": ["throughput", "fast"],
    "kaito.sh/enablelb": ["True"],
}
PARTITIONS = [
    None, None, None, {"mode": "mig", "profile": "1g.10gb"}, {"mode": "mig", "profile": "5g.50gb"},
    {"mode": "accelerator", "count": 2}, {"mode": "accelerator"},
]  # fmt: skip
OUTPUT = {"image": "registry.example.com/a:1", "imagePushSecret": "push"}
ADAPTERS = [None, [{"source": {"name": "a", "image": "registry.example.com/a:1"}}], [{"source": {"name": "A_1"}}]]


@st.composite
def workspaces(draw: st.DrawFn) -> tuple[Obj, dict[str, Obj]]:
    """A Workspace, and the ConfigMaps of its namespace."""
    keys = draw(st.lists(st.sampled_from(sorted(ANNOTATIONS)), max_size=3, unique=True))
    annotations = {key: draw(st.sampled_from(ANNOTATIONS[key])) for key in keys}
    own = annotations.get("modelyard.dev/node-provider") == "byo"
    label = draw(st.sampled_from(["apps", "kubernetes.io/os", "kubernetes.azure.com/agentpool", "modelyard.dev/x"]))
    resource: Obj = {"labelSelector": {"matchLabels": {label: "w"}}}
    if not own or draw(st.booleans()):
        resource["instanceType"] = draw(st.sampled_from([*SIZES, "Standard_D4s_v3", "Standard_NC6", "nothing", ""]))
    if draw(st.booleans()):
        resource["count"] = draw(st.sampled_from([1, 2, 6, 0]))
    if partition := draw(st.sampled_from(PARTITIONS)):
        resource["partition"] = partition
    preset: Obj = {"name": draw(st.sampled_from([*NAMES, "phi-44"]))}
    if draw(st.integers(0, 9)):
        preset["presetOptions"] = {"modelAccessSecret": "token"}
    purpose = draw(st.sampled_from(["preset", "preset", "template", "tuning"]))
    section, key, configs = "inference", INFERENCE_KEY, INFERENCE_CONFIGS
    body: Obj = {"preset": preset}
    if purpose == "template":
        body = {"template": draw(st.sampled_from(TEMPLATES))}
    elif purpose == "tuning":
        section, key, configs = "tuning", TRAINING_KEY, TRAINING_CONFIGS
        source = {"urls": ["https://data.example.com/rows.parquet"]}
        body |= {"method": draw(st.sampled_from(["lora", "qlora", "dora"])), "input": source, "output": OUTPUT}
    elif adapters := draw(st.sampled_from(ADAPTERS)):
        body["adapters"] = adapters
    config = draw(st.sampled_from(configs))
    if config is not None:
        body["config"] = "c"
    version = draw(st.sampled_from(["kaito.sh/v1beta1", "kaito.sh/v1alpha1"]))
    metadata = {"name": "w", "namespace": "default", "annotations": annotations}
    document = {"apiVersion": version, "kind": "Workspace", "metadata": metadata, "resource": resource, section: body}
    return document, {} if config is None else {"c": {"data": {key: config}}}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(workspaces(), st.sampled_from(["aks", "karpenter", "byo"]), st.sampled_from([None, POLICY]))
def test_what_the_plan_refuses_admission_refuses_in_the_same_words(
    given_: tuple[Obj, dict[str, Obj]], provider: Any, policy: Any
) -> None:
    document, config_maps = given_
    plan = plan_document(document, PlanContext(provider=provider, config_maps=config_maps, policy=policy))
    problems = problems_on_create(document, provider=provider, config_maps=config_maps, policy=policy, region="eastus")
    assert [(error.path, error.message) for error in plan.errors] == [(each.path, each.message) for each in problems]
    assert problems or plan.nodes


def serving(preset: str, machine: str = A100, **resource: Any) -> Obj:
    bought = {"instanceType": machine} if machine else {}
    return {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": "w", "namespace": "default", "annotations": {}},
        "resource": {"labelSelector": {"matchLabels": {"apps": "w"}}} | bought | resource,
        "inference": {"preset": {"name": preset, "presetOptions": {"modelAccessSecret": "token"}}},
    }


@pytest.mark.parametrize(
    ("preset", "machine", "count", "nodes", "price"),
    [
        pytest.param("deepseek-r1-0528", "Standard_NC80adis_H100_v5", 6, 5, 13.96, id="R1"),
        pytest.param("deepseek-v3-0324", "Standard_NC80adis_H100_v5", 6, 5, 13.96, id="V3"),
        pytest.param("mistral-large-3-675b-instruct", "Standard_NC80adis_H100_v5", 6, 5, 13.96, id="Mistral Large"),
        pytest.param("deepseek-r1-distill-qwen-14b", "Standard_NV36ads_A10_v5", 2, 2, 3.2, id="R1 Qwen 14B"),
        pytest.param("phi-3-medium-128k-instruct", "Standard_NV36ads_A10_v5", 2, 2, 3.2, id="Phi 3 medium 128k"),
        pytest.param("phi-3-medium-4k-instruct", "Standard_NV36ads_A10_v5", 2, 2, 3.2, id="Phi 3 medium 4k"),
        pytest.param("llama-3.3-70b-instruct", A100, 2, 2, 3.673, id="70B on two A100"),
        pytest.param("llama-3.3-70b-instruct", A100, 1, 2, 3.673, id="70B on one A100"),
    ],
)
def test_kaitos_models_of_several_nodes_are_refused_before_they_are_stored(
    preset: str, machine: str, count: int, nodes: int, price: float
) -> None:
    """And shown with the nodes of one copy, not with so many for each that the hint counts."""
    document = serving(preset, machine, count=count)
    [problem] = problems_on_create(document)
    plan = plan_document(document, PlanContext())
    [error] = plan.errors
    assert (plan.nodes, plan.replicas) == (nodes, 1) and plan.price_per_hour == pytest.approx(nodes * price)
    assert (problem.rule, problem.path, problem.reason) == ("M14", "resource.instanceType", "DoesNotFit")
    assert problem.message == error.message and "a replica is served by one node for now" in problem.message
    assert "one node is enough of" in problem.message


@pytest.mark.parametrize(
    ("machine", "options", "words"),
    [
        (A100, "tool-call-parser: qwen", "not 'qwen'"),
        (A100, "reasoning-parser: deepseek", "not 'deepseek'"),
        (A100, "enable-auto-tool-choice: true", "enable-auto-tool-choice needs a tool-call-parser"),
        ("Standard_NC16as_T4_v3", "dtype: bfloat16", "dtype bfloat16, which needs GPUs"),
    ],
)
def test_options_that_keep_a_server_from_starting_are_refused_before_a_node_is_bought(
    machine: str, options: str, words: str
) -> None:
    document = serving("phi-3-mini-4k-instruct", machine)
    document["inference"]["config"] = "c"
    config_maps = {"c": {"data": {INFERENCE_KEY: f"vllm: {{{options}}}"}}}
    [problem] = problems_on_create(document, config_maps=config_maps)
    [error] = plan_document(document, PlanContext(config_maps=config_maps)).errors
    assert words in problem.message and error.message == problem.message


@pytest.mark.parametrize(
    "label",
    ["kubernetes.azure.com/agentpool", "agentpool", "kubernetes.io/os", "kubernetes.io/hostname",
     "node.kubernetes.io/instance-type", "topology.kubernetes.io/zone", "cloud.google.com/gke-nodepool"],
)  # fmt: skip
def test_own_nodes_may_be_selected_by_the_labels_that_they_have(label: str) -> None:
    document = serving("phi-4-mini-instruct", "", labelSelector={"matchLabels": {label: "gpu"}})
    document["metadata"]["annotations"] = {"modelyard.dev/node-provider": "byo"}
    assert problems_on_create(document) == []
    machine = Machine.of(find_sku(A100))
    plan = plan_document(document, PlanContext(machine=machine))
    assert plan.errors == () and plan.max_model_len


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(serving("phi-44", "Standard_NC6s_v3", partition={"mode": "MIG"}), id="a value that is none"),
        pytest.param(serving("phi-44", count="two") | {"serving": {}}, id="an unknown field"),
        pytest.param({}, id="nothing in it"),
        pytest.param({"kind": "Workspace", "inference": [], "resource": 1, "metadata": "x"}, id="other types"),
        pytest.param(serving("phi-4") | {"more": nested(5000)}, id="nested deep"),
        pytest.param(serving("phi-4", count=2**64), id="a huge number"),
        pytest.param(serving("phi-4") | {"more": date(2026, 1, 1)}, id="a date of YAML"),
        pytest.param(["a", "b"], id="a list"),
        pytest.param(None, id="an empty file"),
    ],
)
def test_what_is_no_workspace_gets_all_words_of_admission_from_the_plan(document: Any) -> None:
    problems = problems_on_create(document)
    plan = plan_document(document, PlanContext())
    assert problems and plan.errors == tuple(
        Finding(reason=reason_of(problem), path=problem.path, message=problem.message) for problem in problems
    )


def test_an_edit_is_refused_for_what_it_brings_and_not_for_what_is_there() -> None:
    """As when a release refuses more than the one before."""
    stored = serving("llama-3.3-70b-instruct")
    assert [problem.rule for problem in problems_on_create(stored)] == ["M14"]
    noted = stored | {"metadata": stored["metadata"] | {"annotations": {"modelyard.dev/max-price-per-hour": "9"}}}
    assert problems_on_update(stored, noted) == []
    config = {"c": {"data": {INFERENCE_KEY: "vllm: {tensor-parallel-size: 8}"}}}
    worse = stored | {"inference": stored["inference"] | {"config": "c"}}
    found = problems_on_update(stored, worse, config_maps=config)
    assert [(problem.path, problem.reason) for problem in found] == [("inference.config", "ConfigInvalid")]


def test_who_bypasses_the_checks_gets_the_plan_of_who_knows_better() -> None:
    document = serving("llama-3.3-70b-instruct")
    document["metadata"]["annotations"] = {"kaito.sh/bypass-resource-checks": "true"}
    assert problems_on_create(document) == []
    plan = plan_document(document, PlanContext())
    assert (plan.errors, plan.nodes, plan.max_model_len) == ((), 1, None)
    assert any("It is tried, because" in warning.message for warning in plan.warnings)
