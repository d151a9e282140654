"""Each matrix of an adapter must find its place in the model: vLLM would serve the base model under its name."""

from collections.abc import Iterable

import pytest

from runtime.pod.safetensors import Tensor
from runtime.serve.adapters.places import Naming, misfits

PACKED = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "gate_up_proj": ("gate_proj", "up_proj")}
LLAMA = Naming(packed=PACKED, embeddings=frozenset({"embed_tokens", "lm_head"}))
QWEN2 = Naming(packed=PACKED, embeddings=frozenset())
MODEL = {
    "model.embed_tokens.weight": Tensor("BF16", (100, 8)),
    **{
        f"model.layers.{layer}.{module}.weight": Tensor("BF16", shape)
        for layer in range(3)
        for module, shape in (("self_attn.q_proj", (8, 8)), ("mlp.up_proj", (16, 8)), ("input_layernorm", (8,)))
    },
}


def lora(*modules: str, outs: int = 8, ins: int = 8) -> dict[str, Tensor]:
    return {
        f"base_model.model.{module}.lora_{which}.weight": Tensor("F32", shape)
        for module in modules
        for which, shape in (("A", (4, ins)), ("B", (outs, 4)))
    }


def embedding(module: str, vocabulary: int = 100) -> dict[str, Tensor]:
    name = f"base_model.model.{module}.lora_embedding_"
    return {f"{name}A": Tensor("F32", (4, vocabulary)), f"{name}B": Tensor("F32", (8, 4))}


def queries(prefix: str, layers: Iterable[int]) -> dict[str, Tensor]:
    return lora(*(f"{prefix}layers.{layer}.self_attn.q_proj" for layer in layers))


FITTING = {
    "all of its layers": (queries("model.", range(3)), MODEL, LLAMA),
    "modules that the model packs in one": (
        lora("model.layers.0.self_attn.q_proj"),
        {"model.layers.0.self_attn.qkv_proj.weight": Tensor("BF16", (24, 8))},
        LLAMA,
    ),
    "modules that are packed for the adapter, too": (
        lora("model.layers.0.self_attn.qkv_proj", outs=24),
        {"model.layers.0.self_attn.qkv_proj.weight": Tensor("BF16", (24, 8))},
        Naming(packed={"qkv_proj": ("qkv_proj",)}),
    ),
    "quantized weights, whose shapes say nothing": (
        lora("model.layers.0.self_attn.q_proj"),
        {"model.layers.0.self_attn.q_proj.qweight": Tensor("I32", (1, 8))},
        LLAMA,
    ),
    "old names of a multimodal model and new ones": (
        queries("model.language_model.", [0]),
        {"language_model.model.layers.0.self_attn.q_proj.weight": Tensor("BF16", (8, 8))},
        Naming(renamed=lambda name: name.replace("model.language_model.", "language_model.model.")),
    ),
    "experts that share a tensor": (
        lora("model.layers.0.mlp.experts.7.w1"),
        {"model.layers.0.mlp.experts.gate_up_proj": Tensor("BF16", (8, 16, 8))},
        LLAMA,
    ),
    "embeddings that its class serves": (embedding("model.embed_tokens") | lora("lm_head", outs=100), MODEL, LLAMA),
    "embeddings beside it as the model has them": (
        queries("model.", [0]) | {"base_model.model.model.embed_tokens.base_layer.weight": Tensor("BF16", (100, 8))},
        MODEL,
        QWEN2,
    ),
    "a class that does not say its names": (queries("", range(3)), MODEL, None),
    "files that cannot be read": (queries("", range(3)), {}, LLAMA),
}


@pytest.mark.parametrize(("adapter", "weights", "naming"), FITTING.values(), ids=FITTING)
def test_what_vllm_serves_fits(adapter: dict[str, Tensor], weights: dict[str, Tensor], naming: Naming | None) -> None:
    assert list(misfits(adapter, weights, naming)) == []


UNFIT = {
    "trained on the model without its head": (
        queries("", range(3)),
        LLAMA,
        ("no layers.0.self", "it is model.layers.0"),
    ),
    "trained on a multimodal wrapper": (
        queries("model.language_model.", range(3)),
        LLAMA,
        ("and 2 more of 3", "it is model.layers.0"),
    ),
    "of a deeper model of the same width": (queries("model.", range(6)), LLAMA, ("no model.layers.3", "2 more of 6")),
    "of a deeper model, upper layers only": (queries("model.", range(3, 6)), LLAMA, ("no model.layers.3",)),
    "modules that the model does not have": (lora("model.layers.0.self_attn.qkv_proj", outs=24), LLAMA, ("qkv_proj",)),
    "experts of a model that has none": (lora("model.layers.0.block.experts.1.w1"), LLAMA, ("experts.1.w1",)),
    "a wider model": (lora("model.layers.0.self_attn.q_proj", ins=9), LLAMA, ("is 8 x 8 in the model", "for 8 x 9")),
    "embeddings that the class does not serve": (
        embedding("model.embed_tokens"),
        QWEN2,
        ("no adapter of embed_tokens",),
    ),
    "a head that the class does not serve": (lora("lm_head", outs=100), QWEN2, ("no adapter of lm_head",)),
    "embeddings of another vocabulary": (embedding("model.embed_tokens", 104), LLAMA, ("is 100 x 8 in", "104 x 8")),
    "a vocabulary that was extended": (
        queries("model.", [0]) | {"base_model.model.model.embed_tokens.base_layer.weight": Tensor("BF16", (104, 8))},
        LLAMA,
        ("embed_tokens.base_layer.weight is 104 x 8",),
    ),
}


@pytest.mark.parametrize(("adapter", "naming", "words"), UNFIT.values(), ids=UNFIT)
def test_what_vllm_would_ignore_or_stumble_over_is_named(
    adapter: dict[str, Tensor], naming: Naming, words: tuple[str, ...]
) -> None:
    said = next(misfits(adapter, MODEL, naming))
    assert all(word in said for word in words), said
