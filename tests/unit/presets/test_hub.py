"""Any repository as a Model: what a config.json and a list of files come to, and every reason for a no."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presets.hub.model import (
    ConfigUnreadable,
    HubFile,
    HubProblem,
    NeedsRemoteCode,
    NotATextModel,
    NoWeights,
    UnsupportedArchitecture,
    model_from_hub,
)
from presets.models.architecture import LayerGroup
from presets.models.catalog import Model, find_model
from tests.unit.presets.hub_configs import (
    DEEPSEEK_V4,
    FALCON_7B,
    GEMMA3_4B,
    LIKE_THE_CATALOGUE,
    LLAMA,
    PHI3_4K,
    dense,
    nemotron,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GIB = 1 << 30
WEIGHTS = [HubFile("model.safetensors", 10 * GIB)]


def a_model(config: Any, files: list[HubFile] = WEIGHTS, repo: str = "acme/thing", **more: Any) -> Model:
    return model_from_hub(repo, config, files, COMMIT, **more)


@pytest.mark.parametrize("repo", LIKE_THE_CATALOGUE)
def test_the_hub_agrees_with_the_catalogue(repo: str) -> None:
    known = find_model(repo)
    name = "consolidated-00001.safetensors" if known.load_format == "mistral" else "model.safetensors"
    reported = a_model(LIKE_THE_CATALOGUE[repo], [HubFile(name, int(known.weights_gib * GIB))], repo, gated=known.gated)
    not_reported = {"aliases", "parameters_b", "weights_gib", "layers"}
    assert reported.model_dump(exclude=not_reported) == known.model_dump(exclude=not_reported)
    assert set(reported.layers) == set(known.layers)
    assert reported.weights_gib == pytest.approx(known.weights_gib, abs=0.01)


FULL = LayerGroup(kind="full", count=1, kv_heads=8, head_dim=128)


def only(config: dict[str, Any]) -> tuple[LayerGroup, ...]:
    return a_model(config).layers


LAYERS = [
    pytest.param({}, [("full", 32)], id="plain"),
    pytest.param({"sliding_window": 4096, "max_position_embeddings": 32768}, [("sliding", 32)], id="mistral 0.1"),
    pytest.param({"sliding_window": 4096, "use_sliding_window": False}, [("full", 32)], id="qwen2: switched off"),
    pytest.param({"sliding_window": 131072}, [("full", 32)], id="a window as long as the context"),
    pytest.param({"model_type": "gemma2"}, [("sliding", 16), ("full", 16)], id="gemma 2 says nothing"),
    pytest.param({"model_type": "cohere2", "sliding_window": 4096}, [("sliding", 24), ("full", 8)], id="command r7b"),
    pytest.param({"layer_types": ["chunked_attention", "full_attention"] * 16, "attention_chunk_size": 8192},
                 [("sliding", 16), ("full", 16)], id="llama 4"),
    pytest.param({"layer_types": ["something_new"] * 32}, [("full", 32)], id="a kind that nobody knows"),
    pytest.param({"layer_types": ["linear_attention"] * 32}, [("full", 32)], id="linear, of no known size"),
    pytest.param({"num_key_value_heads": [8] * 16 + [4] * 16}, [("full", 16), ("full", 16)], id="heads by layer"),
    pytest.param({"layer_types": ["conv"] * 20 + ["full_attention"] * 12, "conv_L_cache": 3},
                 [("linear", 20), ("full", 12)], id="lfm2"),
    pytest.param({"attn_layer_period": 8, "attn_layer_offset": 4, "mamba_d_state": 16, "mamba_expand": 2},
                 [("linear", 28), ("full", 4)], id="jamba"),
    pytest.param({"model_type": "falcon_h1", "mamba_n_heads": 24, "mamba_d_head": 64, "mamba_d_state": 128},
                 [("full", 32), ("linear", 32)], id="falcon h1: both in every layer"),
    pytest.param({"linear_attn_config": {"full_attn_layers": [4, 8], "num_heads": 32, "head_dim": 128}},
                 [("linear", 30), ("full", 2)], id="kimi linear"),
    pytest.param({"kv_lora_rank": 512, "qk_rope_head_dim": 64}, [("mla", 32)], id="latent"),
    pytest.param({"model_type": "minicpm3", "kv_lora_rank": 256, "qk_nope_head_dim": 64, "qk_rope_head_dim": 32},
                 [("full", 32)], id="latent in the weights only"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "groups"), LAYERS)
def test_layers_are_counted_by_what_they_keep(change: dict[str, Any], groups: list[tuple[str, int]]) -> None:
    assert [(group.kind, group.count) for group in only(LLAMA | change)] == groups


def test_a_state_is_as_large_as_vllm_keeps_it() -> None:
    (state, _) = only(nemotron("M*", (32, 2), 2688, (64, 64)))
    assert state.state_bytes == (64 * 64 + 2 * 8 * 128) * 3 * 2 + 64 * 64 * 128 * 4
    (halved, _) = only(nemotron("M*", (32, 2), 2688, (64, 64), mamba_ssm_cache_dtype="bfloat16"))
    assert halved.state_bytes == (64 * 64 + 2 * 8 * 128) * 3 * 2 + 64 * 64 * 128 * 2


@pytest.mark.parametrize(
    ("change", "tokens"),
    [
        pytest.param({}, 131072, id="llama3 is stretched already"),
        pytest.param({"rope_scaling": {"type": "linear", "factor": 4.0}}, 524288, id="linear"),
        pytest.param({"rope_scaling": {"rope_type": "dynamic", "factor": 2}}, 262144, id="dynamic"),
        pytest.param({"rope_scaling": {"type": "yarn", "factor": 4.0}}, 131072, id="yarn"),
        pytest.param({"rope_scaling": None, "rope_parameters": {"rope_type": "default"}}, 131072, id="none"),
        pytest.param({"max_position_embeddings": None, "n_positions": 2048, "rope_scaling": None}, 2048, id="gpt 2"),
        pytest.param({"max_position_embeddings": None, "rope_scaling": None}, 2048, id="nothing is said"),
        pytest.param({"max_position_embeddings": 131072.0}, 131072, id="a whole float"),
        pytest.param({"rope_scaling": {"type": "linear", "factor": "4"}}, 131072, id="no number"),
    ],
)
def test_the_context_is_what_vllm_makes_of_it(change: dict[str, Any], tokens: int) -> None:
    assert a_model(LLAMA | change).max_tokens == tokens


def test_gemma_3s_context_is_stretched_already_and_its_numbers_are_its_classs() -> None:
    model = a_model(GEMMA3_4B)
    assert (model.max_tokens, model.attention_heads, model.vocab_size) == (131072, 8, 262208)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"quant_method": "fp8"}, "fp8"),
        ({"quant_method": "fbgemm_fp8"}, "fp8"),
        ({"quant_method": "compressed-tensors", "format": "float-quantized"}, "fp8"),
        ({"quant_method": "compressed-tensors", "format": "pack-quantized"}, "int4"),
        ({"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}, "nvfp4"),
        ({"quant_method": "compressed-tensors", "format": "int-quantized"}, "int8"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4"),
        ({"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"}, "nvfp4"),
        ({"quant_method": "modelopt", "quant_algo": "FP8"}, "fp8"),
        ({"quant_method": "mxfp4"}, "mxfp4"),
        ({"quant_method": "awq", "bits": 4}, "awq"),
        ({"quant_method": "gptq", "bits": 4}, "gptq"),
        ({"quant_method": "bitsandbytes"}, "bnb"),
    ],
)
def test_quantizations_have_one_name_each(given: dict[str, Any], name: str) -> None:
    model = a_model(LLAMA | {"quantization_config": given})
    assert (model.quantization, model.lora_targets) == (name, ()), "quantized weights are not trained"


def test_a_dtype_is_taken_from_either_of_its_names() -> None:
    assert a_model(LLAMA | {"torch_dtype": "float16"}).dtype == "float16"
    assert a_model(LLAMA | {"torch_dtype": None, "dtype": "torch.float32"}).dtype == "float32"
    assert a_model(LLAMA | {"torch_dtype": "float8_e4m3fn"}).dtype == "bfloat16"


BERT = dense("BertForMaskedLM", "bert", (12, 12, 12, 768))
REFUSED = [
    pytest.param(LLAMA | {"architectures": ["NobodyForCausalLM"]}, UnsupportedArchitecture,
                 "vLLM does not serve NobodyForCausalLM: choose another model", id="unknown"),
    pytest.param(LLAMA | {"architectures": ["QWenLMHeadModel"]}, UnsupportedArchitecture,
                 r"last served by vLLM 0\.23\.0: choose a newer", id="served once"),
    pytest.param(LLAMA | {"architectures": ["NobodyForCausalLM"], "auto_map": {"AutoModel": "m.N"}}, NeedsRemoteCode,
                 "only with code from the repository, which is not run", id="brings code"),
    pytest.param(LLAMA | {"architectures": None}, UnsupportedArchitecture, "names no architecture", id="no name"),
    pytest.param(BERT, NotATextModel, "BertForMaskedLM does not generate text", id="embeds"),
    pytest.param(LLAMA | {"architectures": ["WhisperForConditionalGeneration"]}, NotATextModel, "generate", id="hears"),
    pytest.param(LLAMA | {"architectures": ["NewForSequenceClassification"]}, NotATextModel, "generate", id="classes"),
    pytest.param(LLAMA | {"num_hidden_layers": 0}, ConfigUnreadable, "0 layers", id="no layers"),
    pytest.param(LLAMA | {"num_hidden_layers": 10**9}, ConfigUnreadable, "layers", id="too many layers"),
    pytest.param(LLAMA | {"num_attention_heads": "many"}, ConfigUnreadable, "'many', not a number", id="no number"),
    pytest.param(LLAMA | {"hidden_size": -1}, ConfigUnreadable, "'-1', not a number", id="less than nothing"),
    pytest.param(LLAMA | {"num_key_value_heads": 5}, ConfigUnreadable, "5 KV heads do not divide 32", id="odd heads"),
    pytest.param(LLAMA | {"layer_types": ["full_attention"]}, ConfigUnreadable, "1 layers, but has 32", id="too few"),
    pytest.param({"architectures": ["LlamaForCausalLM"]}, ConfigUnreadable, "0 layers", id="nothing but a name"),
]  # fmt: skip


@pytest.mark.parametrize(("config", "kind", "message"), REFUSED)
def test_what_cannot_be_served_is_refused_with_its_own_reason(config: Any, kind: type, message: str) -> None:
    with pytest.raises(HubProblem, match=message) as refused:
        a_model(config)
    assert type(refused.value) is kind
    assert str(refused.value).startswith("acme/thing@0123456789ab: ")


def test_code_that_is_not_needed_does_not_refuse_the_model() -> None:
    assert "auto_map" in PHI3_4K and a_model(PHI3_4K).architecture == "Phi3ForCausalLM"


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        ([], "choose another one"),
        (["README.md", "model.gguf"], "it has GGUF files: use the original repository"),
        (["onnx/model.onnx", "original/consolidated.00.pth"], "choose another one"),
    ],
)
def test_a_repository_without_weights_is_refused(names: list[str], advice: str) -> None:
    with pytest.raises(NoWeights, match=advice):
        a_model(LLAMA, [HubFile(name, 7) for name in names])


def test_one_of_several_architectures_is_enough() -> None:
    assert a_model(FALCON_7B | {"architectures": ["X", "FalconForCausalLM"]}).architecture == "FalconForCausalLM"


def test_compressed_layers_keep_a_part_of_a_vector_and_a_window() -> None:
    four, many, few = sorted(only(DEEPSEEK_V4), key=lambda group: -group.latent_dim)
    assert (four.latent_dim, four.index_bytes, many.latent_dim, few.kind) == (128, 33, 4, "linear")
    assert few.state_bytes == 128 * 512 * 2


words = st.one_of(st.none(), st.booleans(), st.integers(-3, 1 << 45), st.floats(), st.text(max_size=8))
junk = st.recursive(
    words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from(
    sorted({key for config in LIKE_THE_CATALOGUE.values() for key in (*config, *config.get("text_config", {}))})
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(LIKE_THE_CATALOGUE)), st.dictionaries(keys, junk, max_size=4))
def test_no_configuration_does_worse_than_being_refused(repo: str, change: dict[str, Any]) -> None:
    config = LIKE_THE_CATALOGUE[repo]
    broken = config | change
    if "text_config" in config and "text_config" not in change:
        broken["text_config"] = config["text_config"] | change
    try:
        model = a_model(broken)
    except HubProblem:
        return
    assert model.layer_count > 0 and model.max_tokens > 0
