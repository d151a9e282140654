"""What target_modules must not mean is refused before a GPU is bought, named or matched by an expression."""

import pytest

from api.configs.servable import EMBEDDINGS_SERVED
from presets.hub.lora_targets import tunable_classes
from tests.unit.presets.test_plan_of_a_training import a_training, reported

LLAMA, QWEN = "deepseek-r1-distill-llama-8b", "deepseek-r1-distill-qwen-14b"


def refused(modules: str, model: str = QWEN) -> str:
    config = f"  LoraConfig: {{target_modules: {modules}}}\n  QuantizationConfig: {{load_in_4bit: true}}"
    return reported(a_training(model, config=config))


@pytest.mark.parametrize(
    "modules",
    [
        "all-linear",
        "q_proj",
        "[q_proj, v_proj]",
        r"'.*\.(q_proj|v_proj)'",
        r"'model\.layers\.\d+\.mlp\.(gate|up|down)_proj'",
        r"'.*\.layers\.[0-9]\..*_proj'",
        r"'(?!.*lm_head).*_proj'",
        "'.*_proj'",
    ],
)
def test_linear_modules_are_taken_however_they_are_named(modules: str) -> None:
    assert refused(modules) == ""


@pytest.mark.parametrize(
    ("modules", "words"),
    [
        ("lm_head", "lm_head cannot be trained"),
        ("[q_proj, lm_head]", "lm_head cannot be trained"),
        ("[q_proj, model.lm_head]", "lm_head cannot be trained"),
        ("'.*(lm_head|q_proj)'", "matches lm_head, which cannot be trained"),
        ("'.*'", "matches lm_head"),
        (r"'model\..*'", "matches model.embed_tokens"),
        (r"'.*\.mlp.*'", "matches model.layers.0.mlp"),
        (r"'.*norm'", "which is no linear module"),
        ("'[q_proj'", "is no regular expression"),
        ("[q_proj, embed_tokens]", "embed_tokens makes an adapter that vLLM cannot serve with a Qwen2ForCausalLM"),
        ("embed_tokens", "with a Qwen2ForCausalLM"),
    ],
)
def test_what_cannot_be_trained_or_served_is_refused_with_the_way_out(modules: str, words: str) -> None:
    said = refused(modules)
    assert said.startswith("ConfigInvalid") and words in said, said
    assert "target_modules" in said


def test_embeddings_are_taken_for_a_class_that_serves_them() -> None:
    assert refused("[q_proj, embed_tokens]", LLAMA) == ""
    assert set(tunable_classes()) >= EMBEDDINGS_SERVED


def test_what_is_excluded_is_not_meant() -> None:
    config = (
        "  LoraConfig: {target_modules: '.*(lm_head|q_proj)', exclude_modules: [lm_head]}\n"
        "  QuantizationConfig: {load_in_4bit: true}"
    )
    assert reported(a_training(QWEN, config=config)) == ""


def test_an_expression_that_never_ends_is_given_up() -> None:
    assert "takes too long" in refused(r"'(?:(?:\w|[a-z.]|.)*)*\d{3}'")
