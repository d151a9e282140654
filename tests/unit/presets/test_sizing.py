"""How models are laid out over GPUs, how long a context then fits, and what is said where none does."""

from typing import Any

import pytest

from api.configs.inference import parse_inference_config
from presets.machines.gpu_labels import read_gpus
from presets.machines.machine import Machine, default_batch
from presets.machines.skus import find_sku
from presets.models.catalog import UnknownModel, all_models, find_model
from presets.serving.fit import DoesNotFit, Fit, fit, fit_in, memory_of, utilization
from presets.serving.memory import cache_gib
from presets.serving.overrides import VllmOverrides, vllm_overrides
from presets.serving.parallelism import Layout, layouts_on_nodes, layouts_on_one_node, tensor_problem, tensor_sizes
from presets.serving.support import override_problems


def fitted(model: str, sku: str, most_nodes: int = 64, **overrides: Any) -> Fit:
    return fit(find_model(model), Machine.of(find_sku(sku)), VllmOverrides(**overrides), most_nodes=most_nodes)


@pytest.mark.parametrize(
    ("model", "sku", "tensor", "data"),
    [
        pytest.param("phi-4", "Standard_NC24ads_A100_v4", 1, 1, id="one GPU"),
        pytest.param("phi-4-mini-instruct", "Standard_NV36ads_A10_v5", 1, 1, id="one small GPU"),
        pytest.param("phi-4-mini-instruct", "Standard_NC48ads_A100_v4", 1, 2, id="copied"),
        pytest.param("llama-3.1-8b-instruct", "Standard_NV72ads_A10_v5", 2, 1, id="more than half of a GPU: shared"),
        pytest.param("phi-3.5-mini-instruct", "Standard_NV72ads_A10_v5", 2, 1, id="copies would have little context"),
        pytest.param("llama-3.3-70b-instruct", "Standard_NC96ads_A100_v4", 4, 1, id="shared by four"),
        pytest.param("llama-3.3-70b-instruct", "Standard_ND96amsr_A100_v4", 4, 2, id="two copies, shared by four each"),
        pytest.param("falcon-40b", "Standard_NC48ads_A100_v4", 2, 1, id="shared by two"),
        pytest.param("falcon-7b", "Standard_NV72ads_A10_v5", 1, 2, id="71 heads cannot be shared"),
    ],
)
def test_small_models_are_copied_and_large_ones_shared(model: str, sku: str, tensor: int, data: int) -> None:
    layout = fitted(model, sku).layout
    assert (layout.tensor, layout.pipeline, layout.data, layout.nodes) == (tensor, 1, data, 1)


@pytest.mark.parametrize(
    ("model", "tensor", "problem"),
    [
        pytest.param("phi-4", 4, "10 KV heads", id="KV heads neither divide nor repeat"),
        pytest.param("phi-4", 2, None, id="KV heads divide"),
        pytest.param("falcon-7b", 2, "71 attention heads", id="attention heads"),
        pytest.param("gemma-4-E2B-it", 8, None, id="one KV head is repeated"),
        pytest.param("llama-3.1-8b-instruct", 3, "32 attention heads", id="three"),
    ],
)
def test_what_vllm_cannot_divide_is_not_proposed(model: str, tensor: int, problem: str | None) -> None:
    found = tensor_problem(find_model(_full(model)), tensor)
    assert (found is None) if problem is None else (found is not None and problem in found)


def _full(name: str) -> str:
    return next((model.repo for model in all_models() if model.repo.lower().endswith("/" + name.lower())), name)


def test_every_layout_of_every_model_divides_its_heads_and_uses_all_gpus() -> None:
    for model in all_models():
        for gpus in (1, 2, 4, 8):
            assert 1 in tensor_sizes(model, gpus)
            layouts = [*layouts_on_one_node(model, gpus), *layouts_on_nodes(model, gpus, 3)]
            assert all(model.attention_heads % layout.tensor == 0 for layout in layouts)
            assert all(layout.gpus == gpus * layout.nodes for layout in layouts)
            assert all(layout.pipeline <= model.layer_count for layout in layouts)


def test_what_does_not_fit_is_refused_with_numbers() -> None:
    with pytest.raises(DoesNotFit, match=r"needs .* GiB on each GPU for 2048 tokens.*1 x 7\d\.\d GiB, .*given 7"):
        fitted("llama-3.3-70b-instruct", "Standard_NC24ads_A100_v4", most_nodes=1)


def test_a_context_that_the_model_does_not_have_is_refused() -> None:
    with pytest.raises(DoesNotFit, match="at most 16384 tokens; 20000 were asked for"):
        fitted("phi-4", "Standard_NC24ads_A100_v4", context=20000)


def test_a_layout_that_cannot_be_is_refused() -> None:
    with pytest.raises(DoesNotFit, match="cannot be spread as tensor 3"):
        fitted("phi-4", "Standard_NC48ads_A100_v4", most_nodes=1, tensor=3)


def test_what_the_user_asks_for_is_taken() -> None:
    assert fitted("phi-4", "Standard_NC48ads_A100_v4", tensor=2).layout == Layout(tensor=2)
    assert fitted("phi-4", "Standard_NC48ads_A100_v4", data=2).layout == Layout(data=2)
    assert fitted("phi-4", "Standard_NC48ads_A100_v4", context=4000).context == 4000
    less = fitted("llama-3.1-8b-instruct", "Standard_NC24ads_A100_v4", utilization=0.5).memory
    assert less.fixed + less.kv_cache == pytest.approx(0.5 * less.usable)
    eager = fitted("llama-3.1-8b-instruct", "Standard_NC24ads_A100_v4", eager=True).memory
    assert eager.cuda_graphs == 0


def test_an_fp8_cache_holds_twice_the_context() -> None:
    half = fitted("llama-3.1-8b-instruct", "Standard_NV36ads_A10_v5").context
    full = fitted("llama-3.1-8b-instruct", "Standard_NV36ads_A10_v5", kv_dtype="fp8").context
    assert full == pytest.approx(2 * half, rel=0.01)


def test_the_context_never_exceeds_the_models_own() -> None:
    assert fitted("phi-2", "Standard_NC24ads_A100_v4").context == 2048


def test_layers_that_do_not_grow_are_not_counted_as_if_they_did() -> None:
    """KAITO counts every layer of a hybrid model as full attention."""
    for name in ("google/gemma-3-27b-it", "Qwen/Qwen3.6-27B", "nvidia/NVIDIA-Nemotron-Nano-9B-v2"):
        model = find_model(name)
        as_kaito = model.layer_count * max(group.kv_bytes_per_token / group.count for group in model.layers)
        ours = cache_gib(model, 131072, Layout(), kv_bytes=2, batch=default_batch(79, "A100"))
        assert ours < 0.5 * as_kaito * 131072 / 2**30, name


def test_a_latent_cache_is_whole_on_every_gpu_and_heads_are_divided() -> None:
    batch = default_batch(79, "A100")
    for name, divided in (("deepseek-ai/DeepSeek-V3-0324", False), ("llama-3.3-70b-instruct", True)):
        alone, shared = (
            cache_gib(find_model(name), 8192, Layout(tensor=tensor), kv_bytes=2, batch=batch) for tensor in (1, 8)
        )
        assert shared == pytest.approx(alone / 8 if divided else alone)


def test_a_kv_head_that_cannot_be_divided_further_is_repeated() -> None:
    batch, model = default_batch(79, "A100"), find_model("llama-3.1-8b-instruct")
    eight, sixteen = (cache_gib(model, 8192, Layout(tensor=n), kv_bytes=2, batch=batch) for n in (8, 16))
    assert sixteen == eight


def test_the_largest_stage_decides() -> None:
    """61 layers in 5 stages: one stage has 13 of them."""
    model = find_model("deepseek-ai/DeepSeek-V3-0324")
    machine = Machine.of(find_sku("Standard_NC80adis_H100_v5"))
    memory = memory_of(model, machine, Layout(tensor=2, pipeline=5, nodes=5), VllmOverrides())
    assert memory.weights > model.weights_gib * 13 / 61 / 2


def test_nothing_fits_in_a_layout_whose_weights_do_not() -> None:
    found = fit_in(find_model("falcon-40b"), Machine.of(find_sku("Standard_NV36ads_A10_v5")), Layout(), VllmOverrides())
    assert (found.context, found.sequences, found.memory.kv_cache) == (0, 0.0, 0.0)


def test_pods_that_share_a_gpu_are_each_given_their_part_of_what_cuda_shows_to_all() -> None:
    reported = {"product": "NVIDIA-A100-SXM4-80GB-SHARED", "count": 1, "memory": 81920, "replicas": 2}
    labels = {f"nvidia.com/gpu.{key}": str(value) for key, value in reported.items()}
    machine = Machine.of_node(read_gpus(labels | {"nvidia.com/gpu.sharing-strategy": "time-slicing"}))
    assert utilization(machine, VllmOverrides()) == pytest.approx(0.45)
    found = fit(find_model("phi-4"), machine)
    assert found.memory.usable == pytest.approx(machine.usable_gib)
    assert found.memory.fixed + found.memory.kv_cache == pytest.approx(0.9 * machine.usable_gib)
    assert override_problems(find_model("phi-4"), machine, VllmOverrides(utilization=0.9))


@pytest.mark.parametrize(
    ("sku", "dtype", "refused"),
    [
        ("Standard_NC4as_T4_v3", "bfloat16", True),
        ("Standard_NC4as_T4_v3", "half", False),
        ("Standard_NC4as_T4_v3", "auto", False),
        ("Standard_NC24ads_A100_v4", "bfloat16", False),
    ],
)
def test_a_type_that_the_gpu_does_not_compute_in_is_refused(sku: str, dtype: str, refused: bool) -> None:
    problems = override_problems(find_model("phi-4"), Machine.of(find_sku(sku)), VllmOverrides(dtype=dtype))
    assert any("dtype bfloat16, which needs GPUs" in text and "float16" in text for text in problems) is refused


def test_tool_calls_without_a_parser_are_refused_unless_the_model_has_its_own() -> None:
    machine = Machine.of(find_sku("Standard_NC24ads_A100_v4"))
    asked, with_parser = VllmOverrides(auto_tools=True), VllmOverrides(auto_tools=True, tool_parser="hermes")
    (problem,) = override_problems(find_model("phi-4"), machine, asked)
    assert "enable-auto-tool-choice needs a tool-call-parser" in problem
    assert override_problems(find_model("phi-4"), machine, with_parser) == []
    assert override_problems(find_model("phi-4-mini-instruct"), machine, asked) == []


def test_adapters_that_the_config_map_turns_off_are_refused() -> None:
    config = parse_inference_config("vllm: {no-enable-lora: true}")
    machine = Machine.of(find_sku("Standard_NC24ads_A100_v4"))
    (problem,) = override_problems(find_model("phi-4"), machine, vllm_overrides(config, adapters=1))
    assert problem == "enable-lora: false keeps vLLM from serving inference.adapters: leave it out"
    assert override_problems(find_model("phi-4"), machine, vllm_overrides(config)) == []


def test_names_are_found_in_any_case_and_near_ones_are_suggested() -> None:
    assert find_model("PHI-4").repo == find_model("microsoft/phi-4").repo == "microsoft/phi-4"
    with pytest.raises(UnknownModel, match="did you mean"):
        find_model("phi-4-minii")
