"""The catalogue: every model and number of KAITO's, every name that its users may have, and facts that agree."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from presets.hub.lora_targets import lora_targets_of
from presets.hub.model import architectures
from presets.hub.vllm_parsers import parsers_of
from presets.models.architecture import LayerGroup
from presets.models.catalog import Model, UnknownModel, all_models, find_model

KAITO: list[list[Any]] = yaml.safe_load(Path(__file__).with_name("kaito_catalogue.yaml").read_text())
IDS = [row[0] for row in KAITO]

# KAITO's 25 names without an organisation, and what they stand for.
ALIASES = {
    "phi-4": "microsoft/phi-4",
    "phi-4-mini-instruct": "microsoft/Phi-4-mini-instruct",
    "llama-3.1-8b-instruct": "meta-llama/Llama-3.1-8B-Instruct",
    "llama-3.3-70b-instruct": "meta-llama/Llama-3.3-70B-Instruct",
    "deepseek-r1-distill-llama-8b": "deepseek-ai/DeepSeek-R1-Distill-Llama-8B",
    "deepseek-r1-distill-qwen-14b": "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B",
    "deepseek-r1-0528": "deepseek-ai/DeepSeek-R1-0528",
    "deepseek-v3-0324": "deepseek-ai/DeepSeek-V3-0324",
    "phi-3-mini-4k-instruct": "microsoft/Phi-3-mini-4k-instruct",
    "phi-3-mini-128k-instruct": "microsoft/Phi-3-mini-128k-instruct",
    "phi-3-medium-4k-instruct": "microsoft/Phi-3-medium-4k-instruct",
    "phi-3-medium-128k-instruct": "microsoft/Phi-3-medium-128k-instruct",
    "phi-3.5-mini-instruct": "microsoft/Phi-3.5-mini-instruct",
    "qwen2.5-coder-7b-instruct": "Qwen/Qwen2.5-Coder-7B-Instruct",
    "qwen2.5-coder-32b-instruct": "Qwen/Qwen2.5-Coder-32B-Instruct",
    "gpt-oss-20b": "openai/gpt-oss-20b",
    "gpt-oss-120b": "openai/gpt-oss-120b",
    "gemma-3-4b-instruct": "google/gemma-3-4b-it",
    "gemma-3-27b-instruct": "google/gemma-3-27b-it",
    "mistral-7b": "mistralai/Mistral-7B-v0.3",
    "mistral-7b-instruct": "mistralai/Mistral-7B-Instruct-v0.3",
    "ministral-3-3b-instruct": "mistralai/Ministral-3-3B-Instruct-2512",
    "ministral-3-8b-instruct": "mistralai/Ministral-3-8B-Instruct-2512",
    "ministral-3-14b-instruct": "mistralai/Ministral-3-14B-Instruct-2512",
    "mistral-large-3-675b-instruct": "mistralai/Mistral-Large-3-675B-Instruct-2512",
}
# Names of KAITO's first releases, which it no longer knows.
EARLY = {
    "falcon-7b": "tiiuae/falcon-7b",
    "falcon-7b-instruct": "tiiuae/falcon-7b-instruct",
    "falcon-40b": "tiiuae/falcon-40b",
    "falcon-40b-instruct": "tiiuae/falcon-40b-instruct",
    "phi-2": "microsoft/phi-2",
    "llama-2-7b": "meta-llama/Llama-2-7b-hf",
    "llama-2-7b-chat": "meta-llama/Llama-2-7b-chat-hf",
    "llama-2-13b": "meta-llama/Llama-2-13b-hf",
    "llama-2-13b-chat": "meta-llama/Llama-2-13b-chat-hf",
    "llama-2-70b": "meta-llama/Llama-2-70b-hf",
    "llama-2-70b-chat": "meta-llama/Llama-2-70b-chat-hf",
    "llama-3-8b-instruct": "meta-llama/Meta-Llama-3-8B-Instruct",
    "llama-3-70b-instruct": "meta-llama/Meta-Llama-3-70B-Instruct",
}
# gpt-oss: KAITO counts the second copy of the weights in other folders.
WEIGHTS_OF_ONE_COPY = {"openai/gpt-oss-20b": 12.82, "openai/gpt-oss-120b": 60.77}
# KAITO spells Phi-4-mini otherwise and knows no parser for Ministral 3; Gemma 3's template has no tools.
OTHER_TOOL_PARSERS = {
    "microsoft/Phi-4-mini-instruct": "phi4_mini_json",
    **{f"mistralai/Ministral-3-{size}-Instruct-2512": "mistral" for size in ("3B", "8B", "14B")},
    **{f"google/gemma-3-{size}-it": "" for size in ("4b", "27b")},
}
QUANTIZATIONS = {
    **{"-": "", "awq4": "awq", "gptq4": "gptq", "float-quantized": "fp8", "pack-quantized": "int4"},
    **{"nvfp4-pack-quantized": "nvfp4", "MIXED_PRECISION": "nvfp4", "fp8": "fp8", "mxfp4": "mxfp4"},
}
TUNED_BY_KAITO = [
    *("phi-4", "phi-4-mini-instruct", "phi-3-mini-4k-instruct", "phi-3-mini-128k-instruct", "phi-3.5-mini-instruct"),
    *("phi-3-medium-4k-instruct", "phi-3-medium-128k-instruct", "mistral-7b"),
    *("qwen2.5-coder-7b-instruct", "qwen2.5-coder-32b-instruct"),
]


def test_all_sixty_models_are_there_and_more() -> None:
    assert len(KAITO) == 60
    assert len(all_models()) == 74


@pytest.mark.parametrize("row", KAITO, ids=IDS)
def test_every_number_of_kaitos_table_is_known(row: list[Any]) -> None:
    repo, weights, context, _, quantization, reasoning, tool = row
    model = find_model(repo)
    assert model.repo == repo, "in the hub's spelling"
    assert model.weights_gib == WEIGHTS_OF_ONE_COPY.get(repo, weights)
    assert model.max_tokens == context
    assert model.quantization == QUANTIZATIONS[quantization]
    assert model.reasoning_parser == reasoning.replace("-", "")
    assert model.tool_parser == OTHER_TOOL_PARSERS.get(repo, tool.replace("-", ""))


@pytest.mark.parametrize("row", KAITO, ids=IDS)
def test_layers_come_to_kaitos_bytes_or_less(row: list[Any]) -> None:
    repo, kaito = row[0], row[3]
    model = find_model(repo)
    kinds = {group.kind for group in model.layers if group.values_per_token or group.state_bytes}
    keys = model.kv_bytes_per_token - sum(group.count * group.index_bytes for group in model.layers)
    if kinds in ({"full"}, {"mla"}, {"sliding"}) and "V4" not in repo:
        assert keys == kaito
    elif "gemma-4" in repo:
        assert keys <= kaito * 1.25, "fewer heads that are wider, or layers that share"
    elif "linear" in kinds or "V4" in repo:
        assert keys < kaito / 3, "KAITO counts layers that keep a state as if they kept every token"
    else:
        assert keys == kaito, "as long as no window is full"


@pytest.mark.parametrize(("alias", "repo"), [*ALIASES.items(), *EARLY.items()])
def test_every_name_that_kaito_ever_had_is_understood(alias: str, repo: str) -> None:
    assert find_model(alias).repo == find_model(alias.upper()).repo == find_model(repo.lower()).repo == repo


def test_there_are_twenty_five_aliases_and_none_is_ambiguous() -> None:
    assert len(ALIASES) == 25
    names = [name.lower() for model in all_models() for name in (model.repo, *model.aliases)]
    assert len(names) == len(set(names))


def test_names_that_clients_ask_for_are_not_shared() -> None:
    served = [model.served_name for model in all_models()]
    assert len(served) == len(set(served))


@pytest.mark.parametrize("model", all_models(), ids=lambda model: model.repo)
def test_facts_agree_with_each_other(model: Model) -> None:
    assert model.architecture in architectures().served
    assert 1 <= model.layer_count <= 128
    assert set(model.missing_facts) <= {"parameters_b", "vocab_size"}
    if model.parameters_b and not model.quantization:
        assert model.parameters_b * 2e9 / 2**30 == pytest.approx(model.weights_gib, rel=0.02), "two bytes each"
    if model.parameters_b and model.quantization in ("awq", "gptq", "mxfp4", "nvfp4", "int4"):
        assert 4 <= model.weights_gib * 2**30 * 8 / (model.parameters_b * 1e9) <= 7, "bits of one parameter"


@pytest.mark.parametrize("model", all_models(), ids=lambda model: model.repo)
def test_what_is_derived_for_other_repositories_holds_for_these(model: Model) -> None:
    assert (model.tool_parser, model.reasoning_parser) == parsers_of(model.repo)
    if model.lora_targets:
        assert model.lora_targets == lora_targets_of(model.architecture, quantized=bool(model.quantization))


@pytest.mark.parametrize("name", [*TUNED_BY_KAITO, "falcon-7b"])
def test_what_kaito_tunes_can_be_tuned(name: str) -> None:
    assert find_model(name).lora_targets


def test_modules_are_those_of_the_architecture() -> None:
    assert "qkv_proj" in find_model("phi-4").lora_targets
    assert "q_proj" in find_model("mistral-7b").lora_targets
    assert "query_key_value" in find_model("falcon-7b").lora_targets
    assert find_model("gpt-oss-20b").lora_targets == ()


def test_models_behind_a_licence_say_so() -> None:
    gated = {model.repo.split("/")[0] for model in all_models() if model.gated}
    assert gated == {"meta-llama", "google"}
    assert not find_model("google/gemma-4-E2B-it").gated


@pytest.mark.parametrize(("wrong", "meant"), [("phi-44", "phi-4"), ("llama-3.1-8b", "llama-3.1-8b-instruct")])
def test_an_unknown_name_gets_the_nearest_one(wrong: str, meant: str) -> None:
    with pytest.raises(UnknownModel, match=meant):
        find_model(wrong)


SHAPES = [
    pytest.param({"kind": "full", "kv_heads": 8}, "needs head_dim", id="full without a size"),
    pytest.param({"kind": "sliding", "kv_heads": 8, "head_dim": 64}, "needs window", id="sliding without a window"),
    pytest.param({"kind": "mla"}, "needs latent_dim", id="mla without its vector"),
    pytest.param({"kind": "linear", "kv_heads": 8}, "has no kv_heads", id="linear with heads"),
    pytest.param(
        {"kind": "full", "kv_heads": 8, "head_dim": 64, "window": 9}, "has no window", id="full with a window"
    ),
]


@pytest.mark.parametrize(("shape", "message"), SHAPES)
def test_a_layer_has_what_its_kind_needs_and_no_more(shape: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        LayerGroup(count=1, **shape)


def test_kv_heads_divide_the_heads() -> None:
    layers = (LayerGroup(kind="full", count=2, kv_heads=3, head_dim=64),)
    with pytest.raises(ValidationError, match="3 KV heads do not divide 8 heads"):
        Model(repo="a/b", weights_gib=1, layers=layers, attention_heads=8, max_tokens=8)
