"""training_config.yaml: KAITO's templates are read as they are meant; what could only fail later is refused now."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from api.configs.arguments import arguments_in
from api.configs.mounted_paths import contained, writable
from api.configs.problem import ConfigProblem
from api.configs.training import (
    SECTIONS,
    TrainingConfig,
    default_training_config,
    method_problem,
    parse_training_config,
)
from api.configs.training_options import DEFAULTS, REFUSED

QLORA = """
training_config:
  ModelConfig:
    torch_dtype: "bfloat16"
    local_files_only: true
    device_map: "auto"
    chat_template: null
  QuantizationConfig:
    load_in_4bit: true
    bnb_4bit_quant_type: "nf4"
    bnb_4bit_compute_dtype: "bfloat16"
    bnb_4bit_use_double_quant: true
  LoraConfig:
    r: 16
    lora_alpha: 32
    lora_dropout: 0.05
    target_modules: [k_proj, q_proj]
  TrainingArguments:
    output_dir: "/mnt/results"
    ddp_find_unused_parameters: false
    save_strategy: epoch
    per_device_train_batch_size: 2
    learning_rate: 2e-4
  DataCollator:
    mlm: true
  DatasetConfig:
    shuffle_dataset: true
    train_test_split: 1
"""


def config(**sections: Any) -> TrainingConfig:
    return parse_training_config(yaml.safe_dump({"training_config": sections}))


def test_kaitos_template_for_qlora_means_here_what_it_means_there() -> None:
    found = parse_training_config(QLORA)
    assert found.quantization.quantizes
    assert (found.lora.r, found.lora.lora_alpha, found.lora.target_modules) == (16, 32, ["k_proj", "q_proj"])
    assert found.training["learning_rate"] == 2e-4
    assert found.training["per_device_train_batch_size"] == 2
    assert found.dataset.train_test_split == 1
    assert found.output_dir == "/mnt/results"
    reported = {path.removeprefix("training_config.") for path, _ in found.warnings}
    assert reported == {"ModelConfig.local_files_only", "DataCollator.mlm"}


def test_missing_keys_get_defaults() -> None:
    assert config() == TrainingConfig() == default_training_config("lora")
    assert config(LoraConfig=None, TrainingArguments={}) == TrainingConfig()
    assert set(DEFAULTS) <= set(arguments_in("training_arguments.yaml"))
    assert default_training_config("qlora").quantization.bnb_4bit_quant_type == "nf4"


@pytest.mark.parametrize(
    ("method", "section", "words"),
    [
        ("lora", {}, None),
        ("lora", {"load_in_4bit": True}, "must be false"),
        ("lora", {"load_in_8bit": True}, "must be false"),
        ("qlora", {}, "must be true"),
        ("qlora", {"load_in_4bit": False}, "must be true"),
        ("qlora", {"load_in_8bit": True}, None),
    ],
)
def test_the_quantization_goes_with_the_method(method: str, section: dict[str, Any], words: str | None) -> None:
    problem = method_problem(config(QuantizationConfig=section), method)
    assert (problem is None) if words is None else (problem is not None and words in problem[1])


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_the_default_goes_with_its_method(method: str) -> None:
    assert method_problem(default_training_config(method), method) is None


@pytest.mark.parametrize(
    ("section", "keys", "words"),
    [
        ("LoraConfig", {"r": 1024}, "1024 is over 512"),
        ("LoraConfig", {"r": 0}, "greater than or equal to 1"),
        ("LoraConfig", {"r": "many"}, "valid integer.* 'many' was given"),
        ("LoraConfig", {"r": True}, r"LoraConfig\.r: must be a number, not true"),
        ("LoraConfig", {"rank_pattern": {"q_proj": True}}, "rank_pattern: must be a number, not true"),
        ("LoraConfig", {"layers_to_transform": [False]}, "must be a number, not false"),
        ("LoraConfig", {"lora_alpha": "1e400"}, r"LoraConfig\.lora_alpha: should be a finite number"),
        ("LoraConfig", {"alpha_pattern": {"q_proj": "inf"}}, "should be a finite number"),
        ("QuantizationConfig", {"llm_int8_threshold": "inf"}, "should be a finite number"),
        ("TrainingArguments", {"lr_scheduler_kwargs": '{"num_cycles": 1e400}'}, "larger than any"),
        ("TrainingArguments", {"lr_scheduler_kwargs": '{"a": ' * 300 + "1" + "}" * 300}, "deeper than 20 levels"),
        ("LoraConfig", {"rank_pattern": {"q_proj": 600}}, r"rank_pattern\.q_proj: 600 is over 512"),
        ("LoraConfig", {"use_dora": True}, "DoRA.*vLLM cannot serve"),
        ("LoraConfig", {"modules_to_save": ["lm_head"]}, "vLLM cannot serve"),
        ("LoraConfig", {"lora_bias": True}, "vLLM cannot serve"),
        ("LoraConfig", {"bias": "all"}, "vLLM cannot serve; use none"),
        ("LoraConfig", {"init_lora_weights": "pissa"}, "'pissa' makes an adapter that vLLM cannot serve"),
        ("LoraConfig", {"init_lora_weights": 3}, "must be true, false or a name"),
        ("LoraConfig", {"target_modules": [1]}, "must be a name or a list of names"),
        ("LoraConfig", {"target_modules": ["q_proj", "lm_head"]}, "lm_head cannot be trained"),
        ("LoraConfig", {"lora_dropout": 1}, "less than 1"),
        ("QuantizationConfig", {"load_in_4bit": True, "load_in_8bit": True}, "together with load_in_4bit"),
        ("QuantizationConfig", {"load_in_4bit": "some"}, "valid boolean"),
        ("QuantizationConfig", {"bnb_4bit_quant_type": "int4"}, "'nf4' or 'fp4'"),
        ("ModelConfig", {"torch_dtype": "int8"}, "'auto', 'float32'"),
        ("DatasetConfig", {"dataset_path": "/etc/passwd"}, "must stay below /mnt"),
        ("DatasetConfig", {"dataset_path": "../etc"}, "must stay below /mnt"),
        ("DatasetConfig", {"train_test_split": 0}, "greater than 0"),
        ("DatasetConfig", {"dataset_extension": "webdataset"}, "'csv', 'json', 'jsonl', 'parquet' or 'arrow'"),
        ("DatasetConfig", {"over_long_rows": "wrap"}, "'truncate', 'drop' or 'refuse'"),
        ("DataCollator", {"pad_to_multiple_of": 0}, "greater than or equal to 1"),
        ("TrainingArguments", {"output_dir": "/var/out"}, "must stay below /mnt"),
        ("TrainingArguments", {"output_dir": "../mntfoo"}, "must stay below /mnt"),
        ("TrainingArguments", {"output_dir": "/mnt"}, "must stay below /mnt"),
        ("TrainingArguments", {"output_dir": "/mnt/data/out"}, "where the pod's inputs are"),
        ("TrainingArguments", {"output_dir": 3.5}, "output_dir: must be text"),
        ("TrainingArguments", {"learning_rate": 2}, "must be from 1e-09 to 1, not 2"),
        ("TrainingArguments", {"num_train_epochs": "three"}, "must be a number"),
        ("TrainingArguments", {"gradient_checkpointing": "maybe"}, "write true or false"),
        ("TrainingArguments", {"push_to_hub": True}, r"tuning\.output"),
        ("TrainingArguments", {"hub_token": "hf_x"}, "no place for a secret"),
        ("TrainingArguments", {"deepspeed": {"zero": 3}}, "follow from the plan"),
        ("TrainingArguments", {"report_to": ["wandb"]}, "must be none"),
        ("TrainingArguments", {"optim": "lomo"}, "package that the training image does not hold"),
        ("TrainingArguments", {"save_strategy": "sometimes"}, "must be one of no, steps"),
        ("TrainingArguments", {"max_length": 4, "max_seq_length": 8}, "twice"),
        ("LoRAConfig", {}, r"Unrecognized section; did you mean 'LoraConfig'\?"),
        ("Other", {}, "Unrecognized section; known are ModelConfig"),
        ("LoraConfig", [], "must be a map"),
    ],
)
def test_what_could_only_fail_later_is_refused(section: str, keys: Any, words: str) -> None:
    with pytest.raises(ConfigProblem, match=words) as caught:
        config(**{section: keys})
    assert all(path.startswith(f"training_config.{section}") for path, _ in caught.value.errors)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"learning_rate": "1e-5"}, {"learning_rate": 1e-5}),
        ({"save_strategy": False}, {"save_strategy": "no"}),  # an unquoted no
        ({"evaluation_strategy": "epoch"}, {"eval_strategy": "epoch"}),
        ({"max_seq_length": 512}, {"max_length": 512}),
        ({"warmup_ratio": 0.1}, {"warmup_steps": 0.1}),
        ({"bf16": "true"}, {"bf16": True}),
        ({"optim": "paged_adamw_32bit"}, {"optim": "paged_adamw_32bit"}),
        ({"lr_scheduler_kwargs": {"num_cycles": 2}}, {"lr_scheduler_kwargs": {"num_cycles": 2}}),
        ({"lr_scheduler_kwargs": '{"num_cycles": 2}'}, {"lr_scheduler_kwargs": {"num_cycles": 2}}),
        ({"output_dir": "output/run-1"}, {"output_dir": "/mnt/output/run-1"}),
        ({"output_dir": "/mnt/a/../b/"}, {"output_dir": "/mnt/b"}),
        ({"push_to_hub": False, "deepspeed": None}, {}),
        ({"report_to": "none"}, {"report_to": ["none"]}),
    ],
)
def test_training_arguments_become_what_trl_takes(keys: dict[str, Any], expected: dict[str, Any]) -> None:
    assert config(TrainingArguments=keys).training == dict(DEFAULTS) | expected


def test_unknown_and_old_keys_are_warnings() -> None:
    found = config(LoraConfig={"lora_aplha": 3}, TrainingArguments={"lerning_rate": 1, "evaluation_strategy": "no"})
    assert found.training["eval_strategy"] == "no"
    reported = dict(found.warnings)
    assert "did you mean 'lora_alpha'?" in reported["training_config.LoraConfig.lora_aplha"]
    assert "did you mean 'learning_rate'?" in reported["training_config.TrainingArguments.lerning_rate"]
    assert "is read as eval_strategy" in reported["training_config.TrainingArguments.evaluation_strategy"]


@pytest.mark.parametrize("text", ["", "[]", "training_config:", "training_config: []", "other: {}"])
def test_another_shape_is_refused(text: str) -> None:
    with pytest.raises(ConfigProblem, match="training_config: must be there and be a map"):
        parse_training_config(text)


def test_a_problem_names_its_line() -> None:
    with pytest.raises(ConfigProblem, match=r"LoraConfig\.r: .*\(line 4\)"):
        parse_training_config("training_config:\n  LoraConfig:\n    lora_alpha: 1\n    r: 0\n")


def test_what_is_refused_is_a_key_of_trl() -> None:
    assert set(REFUSED) <= set(arguments_in("training_arguments.yaml"))


@given(st.text(max_size=40) | st.from_regex(r"(\.\./|/|mnt|a|\.){1,12}", fullmatch=True))
def test_no_path_leaves_its_root(path: str) -> None:
    try:
        absolute = contained(path)
    except ValueError:
        return
    assert absolute.startswith("/mnt/") and ".." not in absolute.split("/")
    assert contained(absolute) == absolute


def test_inputs_are_not_written_over() -> None:
    assert writable("results") == "/mnt/results"
    assert writable("datasets") == "/mnt/datasets"
    for path in ("data", "/mnt/data/x", "config", "/mnt/adapter"):
        with pytest.raises(ValueError, match="inputs"):
            writable(path)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@given(st.data())
def test_any_values_are_read_or_refused(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*SECTIONS, "TrainingArguments"]))
    fields = SECTIONS[name].model_fields if name in SECTIONS else arguments_in("training_arguments.yaml")
    section = data.draw(st.dictionaries(st.sampled_from(sorted(fields)), ANYTHING, max_size=4))
    try:
        config(**{name: section})
    except ConfigProblem as problem:
        assert problem.errors
