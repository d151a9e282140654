"""Our margins against what vLLM has logged on real GPUs: every part that we reserve is at least the part that was used.

Each case is a start-up log that somebody published, with the GPU's memory as CUDA saw it.
"""

from dataclasses import dataclass

import pytest

from presets.machines.machine import Batch, Machine
from presets.models.architecture import LayerGroup
from presets.models.catalog import Model
from presets.serving.fit import fit_in
from presets.serving.memory import cache_gib, graphs_gib, overhead_gib
from presets.serving.overrides import VllmOverrides
from presets.serving.parallelism import Layout

LLAMA_3_8B = Model(
    repo="meta-llama/Llama-3.1-8B-Instruct", architecture="LlamaForCausalLM", weights_gib=14.96,
    layers=(LayerGroup(kind="full", count=32, kv_heads=8, head_dim=128),),
    attention_heads=32, hidden_size=4096, vocab_size=128256, max_tokens=10_000_000,
)  # fmt: skip
LLAVA_7B = Model(
    repo="llava-hf/llava-v1.6-mistral-7b-hf", architecture="LlavaNextForConditionalGeneration", weights_gib=14.06,
    layers=(LayerGroup(kind="full", count=32, kv_heads=8, head_dim=128),),
    attention_heads=32, hidden_size=4096, vocab_size=32064, max_tokens=10_000_000,
)  # fmt: skip
GEMMA_3_4B = Model(
    repo="google/gemma-3-4b-it", architecture="Gemma3ForConditionalGeneration", weights_gib=8.58,
    layers=(LayerGroup(kind="full", count=5, kv_heads=4, head_dim=256),
            LayerGroup(kind="sliding", count=29, kv_heads=4, head_dim=256, window=1024)),
    attention_heads=8, hidden_size=2560, vocab_size=262208, max_tokens=10_000_000,
)  # fmt: skip


@dataclass(frozen=True)
class Log:
    """GiB as logged; `tokens` is the KV cache that vLLM then had, 0 where it was not told."""

    where: str
    model: Model
    usable: float
    utilization: float
    batch: Batch
    weights: float
    non_torch: float
    activations: float
    graphs: float
    tokens: int


LOGS = [
    Log("vLLM 0.31, A100 80GB", LLAMA_3_8B, 79.25, 0.92, Batch(), 15.0, 0.26, 1.44, 0.23, 460_496),
    Log("vLLM 0.8 (V0), A10G", LLAMA_3_8B, 22.07, 0.9, Batch(), 14.99, 0.05, 0.22, 0.0, 37_696),
    Log("vLLM 0.10.2, H100", LLAVA_7B, 79.19, 0.9, Batch(16384, 1024), 14.08, 0.07, 1.97, 0.67, 451_744),
    Log("vLLM 0.10, B200", GEMMA_3_4B, 178.36, 0.9, Batch(16384, 1024), 8.58, 0.07, 9.96, 0.65, 0),
]


@pytest.mark.parametrize("log", LOGS, ids=lambda log: f"{log.model.repo}, {log.where}")
def test_every_part_is_at_least_what_vllm_used(log: Log) -> None:
    machine = Machine(name=log.where, gpus=1, usable_gib=log.usable, batch=log.batch)
    memory = fit_in(log.model, machine, Layout(), VllmOverrides(utilization=log.utilization)).memory
    assert memory.weights >= log.weights
    assert memory.overhead >= log.non_torch
    assert memory.activations >= log.activations
    assert memory.cuda_graphs >= log.graphs
    assert memory.weights <= 1.05 * log.weights


@pytest.mark.parametrize("log", [log for log in LOGS if log.tokens], ids=lambda log: f"{log.model.repo}, {log.where}")
def test_a_context_that_we_promise_is_one_that_vllm_had_room_for(log: Log) -> None:
    machine = Machine(name=log.where, gpus=1, usable_gib=log.usable, batch=log.batch)
    promised = fit_in(log.model, machine, Layout(), VllmOverrides(utilization=log.utilization)).context
    assert 0 < promised <= log.tokens
    if log.usable > 40:
        assert promised >= 0.8 * log.tokens, "a margin, not a waste"


def test_a_token_takes_in_the_cache_what_vllm_says() -> None:
    """56.21 GiB of cache held 460,496 tokens of Llama-3.1-8B."""
    one = cache_gib(LLAMA_3_8B, 460_496, Layout(), kv_bytes=2, batch=Batch())
    assert one == pytest.approx(56.21, rel=0.001)


def test_gpus_that_work_together_are_given_more_overhead_and_large_batches_more_graphs() -> None:
    """Tensor 4 on B200: 0.95 GiB beside torch's memory, 4.13 GiB of CUDA graphs beside 106.69 GiB of weights."""
    assert overhead_gib(Layout(tensor=4)) >= 0.95
    assert graphs_gib(106.69, Batch(16384, 1024), eager=False) >= 4.13
