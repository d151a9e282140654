"""What peft would refuse once the model is loaded is refused before a GPU is bought, with the way out."""

import pytest

from presets.models.catalog import find_model
from tests.unit.presets.test_plan_of_a_training import a_training, reported

QWEN = "deepseek-r1-distill-qwen-14b"
LAST = find_model(QWEN).layer_count - 1


def refused(lora: str) -> str:
    config = f"  LoraConfig: {{{lora}}}\n  QuantizationConfig: {{load_in_4bit: true}}"
    return reported(a_training(QWEN, config=config))


@pytest.mark.parametrize(
    "lora",
    [
        "target_modules: [q_proj], layers_to_transform: [0, 1]",
        f"target_modules: [q_proj], layers_to_transform: {LAST}, layers_pattern: layers",
        "target_modules: [q_proj], layers_to_transform: []",
        "exclude_modules: [q_proj, nothing]",
        r"exclude_modules: '.*\.mlp\..*'",
        r"rank_pattern: {q_proj: 4, 'layers\.[0-3]\..*down_proj': 16}",
        "alpha_pattern: {q_proj: 4}",
        "target_modules: '.*q_proj', exclude_modules: '.*k_proj'",
    ],
)
def test_a_choice_of_layers_and_modules_is_taken(lora: str) -> None:
    assert refused(lora) == ""


@pytest.mark.parametrize(
    ("lora", "words"),
    [
        ("layers_to_transform: [0, 1]", "layers_to_transform: goes with names of modules only: list them in "
         "target_modules, for instance [q_proj, k_proj"),
        ("layers_to_transform: 0, target_modules: '.*q_proj'", "layers_to_transform: goes with names"),
        ("layers_pattern: layers", "layers_pattern: goes with names"),
        ("layers_pattern: layers, target_modules: [q_proj]", "layers_pattern: goes with layers_to_transform only"),
        ("target_modules: [q_proj], layers_to_transform: [0, 999]", f"names layer 999, and deepseek-ai/DeepSeek-R1-"
         f"Distill-Qwen-14B has the layers 0 to {LAST}"),
        ("target_modules: [q_proj], layers_to_transform: -1", "names layer -1"),
        ("target_modules: [q_proj], layers_to_transform: [0], layers_pattern: '('", "layers_pattern: '(' is no"),
        ("exclude_modules: '('", "exclude_modules: '(' is no regular expression"),
        ("target_modules: '.*q_proj', exclude_modules: '('", "exclude_modules: '(' is no regular expression"),
        ("rank_pattern: {'(q_proj': 4}", "rank_pattern: '(q_proj' is no regular expression"),
        ("alpha_pattern: {'[q_proj': 4}", "alpha_pattern: '[q_proj' is no regular expression"),
        (r"alpha_pattern: {'(?:(?:\w|[a-z.]|.)*)*\d{3}': 4}", "alpha_pattern: the regular expression"),
        (r"exclude_modules: '(?:(?:\w|[a-z.]|.)*)*\d{3}'", "takes too long"),
        ("exclude_modules: '.*'", "exclude_modules: excludes every module"),
        ("target_modules: [q_proj], exclude_modules: [q_proj, k_proj]", "nothing is left to train"),
    ],
)  # fmt: skip
def test_what_peft_would_refuse_on_the_node_is_refused_before_it_is_bought(lora: str, words: str) -> None:
    said = refused(lora)
    assert said.startswith("ConfigInvalid tuning.config: LoraConfig.") and words in said, said
