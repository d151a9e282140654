"""The ConfigMaps that a Workspace names: KAITO's rules 2.4 and 2.5, each by what it refuses and what it accepts."""

from typing import Any

import pytest

from presets.plan.judge import problems_on_create, problems_on_update
from tests.unit.api.validation.conftest import GONE, Builder

Obj = dict[str, Any]
NAMED: Obj = {"inference.config": "params"}
TUNING: Obj = {"tuning.config": "params"}
QLORA = "training_config:\n  QuantizationConfig:\n    load_in_4bit: true\n"


def config_maps(**data: str) -> dict[str, Obj]:
    keys = {"inference": "inference_config.yaml", "training": "training_config.yaml"}
    return {"params": {"data": {keys.get(key, key): text for key, text in data.items()}}}


INFERENCE = [
    ("not there", {}, "I1", "ConfigMap 'params' specified in 'config' not found in namespace 'team-a'"),
    ("no key", config_maps(other="x"), "I1", "has no key inference_config.yaml"),
    ("no data", {"params": {"data": None}}, "I1", "has no key inference_config.yaml"),
    ("no object", {"params": 7}, "I1", "has no key inference_config.yaml"),
    ("no yaml", config_maps(inference="a: [1"), "I1", "is not valid YAML"),
    ("doubled key", config_maps(inference="vllm: {}\nvllm: {}"), "I1", "is given twice"),
    ("bomb", config_maps(inference="a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True))), "I1",
        "aliases expanded"),
    ("no map", config_maps(inference="vllm: [1]"), "I1", "vllm must be a map"),
    ("max-model-len is no number", config_maps(inference="vllm: {max-model-len: long}"), "I1", "vllm.max-model-len"),
    ("what the pod owns", config_maps(inference="vllm: {port: 80}"), "I1", "vllm.port"),
    ("longer than the model", config_maps(inference="vllm: {max-model-len: 131073}"), "I2",
     "max-model-len 131073 exceeds model's maximum supported context window 131072 (ModelTokenLimit)"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "rule", "says"), [row[1:] for row in INFERENCE], ids=[row[0] for row in INFERENCE])
@pytest.mark.parametrize("version", ["kaito.sh/v1alpha1", "kaito.sh/v1beta1"])
def test_an_inference_config_is_refused(given: Obj, rule: str, says: str, version: str, build: Builder) -> None:
    found = problems_on_create(build.serving(NAMED, version), config_maps=given)
    assert [(problem.rule, problem.path) for problem in found] == [(rule, "inference.config")]
    assert says in found[0].message


@pytest.mark.parametrize(
    "text", ["vllm: {max-model-len: 131072, enforce-eager: true}", "", "vllm:", "max_probe_steps: 6\nvllm: {}"]
)
def test_an_inference_config_is_accepted(text: str, build: Builder) -> None:
    assert problems_on_create(build.serving(NAMED), config_maps=config_maps(inference=text)) == []


def test_max_model_len_is_never_required(build: Builder) -> None:
    """KAITO's v1alpha1 asks for it on several GPUs of less than 20 GB; here the longest that fits is found."""
    document = build.serving(NAMED | {"resource.instanceType": "Standard_NC64as_T4_v3"}, "kaito.sh/v1alpha1")
    assert problems_on_create(document, config_maps=config_maps(inference="vllm: {}")) == []


TRAINING = [
    ("not there", {}, "ConfigMap 'params' specified in 'config' not found in namespace 'team-a'"),
    ("no key", config_maps(inference="x"), "has no key training_config.yaml"),
    ("no map", config_maps(training="training_config: []"), "must be there and be a map"),
    ("unknown section", config_maps(training=QLORA + "  Optimizer: {}\n"), "Unrecognized section"),
    ("no boolean", config_maps(training="training_config: {QuantizationConfig: {load_in_4bit: 4}}"), "load_in_4bit"),
    ("both", config_maps(training=QLORA + "    load_in_8bit: true\n"), "load_in_8bit"),
    ("qlora without", config_maps(training="training_config: {}"), "for method qlora"),
    ("output elsewhere", config_maps(training=QLORA + "  TrainingArguments: {output_dir: ../mntfoo}\n"), "/mnt"),
    ("output is the root", config_maps(training=QLORA + "  TrainingArguments: {output_dir: /mnt}\n"), "/mnt"),
]


@pytest.mark.parametrize(("given", "says"), [row[1:] for row in TRAINING], ids=[row[0] for row in TRAINING])
def test_c45_a_training_config_is_refused(given: Obj, says: str, build: Builder) -> None:
    found = problems_on_create(build.tuning(TUNING), config_maps=given)
    assert {(problem.rule, problem.path) for problem in found} == {("C45", "tuning.config")}
    assert all(problem.message.startswith("Failed to evaluate validateConfigMap") for problem in found)
    assert says in str(found)


def test_c45_the_method_lora_packs_no_weights(build: Builder) -> None:
    found = problems_on_create(
        build.tuning(TUNING | {"tuning.method": "LoRA"}), config_maps=config_maps(training=QLORA)
    )
    assert [problem.rule for problem in found] == ["C45"]
    assert "for method lora" in found[0].message


def test_c45_a_training_config_is_accepted(build: Builder) -> None:
    text = QLORA + "  TrainingArguments: {output_dir: results/run-1}\n"
    assert problems_on_create(build.tuning(TUNING), config_maps=config_maps(training=text)) == []


def test_without_config_maps_none_is_checked(build: Builder) -> None:
    assert problems_on_create(build.serving(NAMED)) == []
    assert problems_on_create(build.tuning(TUNING)) == []


def test_a_workspace_that_names_none_needs_none(build: Builder) -> None:
    assert problems_on_create(build.serving({"inference.config": GONE}), config_maps={}) == []


def test_a_config_that_went_missing_does_not_block_another_change(build: Builder) -> None:
    old = build.serving(NAMED)
    new = build.serving(NAMED | {"inference.adapters": [{"source": {"name": "a", "image": "i:1"}}]})
    assert problems_on_update(old, new, config_maps={}) == []
    assert [problem.rule for problem in problems_on_update(build.serving(), new, config_maps={})] == ["I1"]
