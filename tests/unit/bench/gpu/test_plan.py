"""What is planned for a GPU, as for a node with it, beside what vLLM's log and the device say."""

from pathlib import Path

import pytest

from bench.gpu.check import plans_of
from bench.gpu.machine.device import parsed
from bench.gpu.machine.place import Place
from bench.gpu.machine.weights import Weights
from bench.gpu.parts.training import training_config
from bench.gpu.plan import Held, Planned, held, logged, serving_fit, serving_plan, serving_share, training_plan
from deploy.local.mirror.repositories.catalog import SMOLLM2

# As nvidia-smi described an H200.
H200 = parsed("0", "NVIDIA H200, 580.159.03, 143771, 4, 9.0")
PLACE = Place("cuda", H200, Weights(Path("/nowhere"), SMOLLM2, ""), Path("/nowhere"))
# Lines of vLLM 0.32; the numbers are made up.
LOG = """
(EngineCore pid=1) INFO 11-29 18:10:57 [gpu_model_runner.py:5150] Model loading took 0.26 GiB memory and 0.53 seconds
(EngineCore pid=1) INFO 11-29 18:11:05 [gpu_worker.py:760] Available KV cache memory: 123.4 GiB
(EngineCore pid=1) INFO 11-29 18:11:05 [kv_cache_utils.py:2329] GPU KV cache size: 5,750,128 tokens, Maximum concurrency
(EngineCore pid=1) INFO 11-29 18:11:09 [gpu_model_runner.py:6582] Graph capturing finished in 4 secs, took 0.50 GiB
"""


def test_the_parts_of_vllms_memory_are_read_from_its_log() -> None:
    assert logged(LOG) == {
        "weights_gib": 0.26, "kv_cache_gib": 123.4, "kv_cache_tokens": 5_750_128, "cuda_graphs_gib": 0.5
    }  # fmt: skip


def test_a_number_that_ends_a_sentence_is_read_and_one_that_is_not_there_is_left_out() -> None:
    assert logged("CPU KV cache size: 65,536 tokens.") == {"kv_cache_tokens": 65536}


def test_a_server_is_planned_as_on_a_node_with_this_gpu() -> None:
    planned = serving_fit(PLACE.weights.model, H200.machine)
    assert planned.context == 8192 and planned.layout.data == 1
    assert serving_share(H200.machine) == 0.9
    by_quantity = {one.quantity: one for one in serving_plan("serve", planned)}
    assert 0.25 < by_quantity["weights_gib"].value < 0.3
    assert by_quantity["kv_cache_gib"].value > 100 and by_quantity["kv_cache_gib"].limit == "at least"
    assert 130 < by_quantity["device_memory_gib"].value < 143771 / 1024


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_a_training_is_planned_as_on_a_node_with_this_gpu(method: str) -> None:
    config = training_config(PLACE, "lora" if method == "lora" else "qlora")
    found = list(training_plan("tune", PLACE.weights.model, H200.machine, config, method))
    assert {one.quantity for one in found} == {"torch_memory_gib", "device_memory_gib"}
    assert all(2 < one.value < 20 for one in found)


@pytest.mark.parametrize(
    ("limit", "measured", "ok"),
    [("at most", 2.0, True), ("at most", 2.1, False), ("at least", 2.0, True), ("at least", 1.9, False)],
)
def test_a_plan_holds_on_its_side(limit: str, measured: float, ok: bool) -> None:
    planned = Planned("serve", "weights_gib", 2.0, "at most" if limit == "at most" else "at least")
    assert Held(planned, measured).ok is ok


def test_the_check_plans_for_each_of_our_parts_and_for_none_on_cpus() -> None:
    assert {one.part for one in plans_of(PLACE)} == {"serve", "tune-lora", "tune-qlora"}
    assert list(plans_of(Place("cpu", None, PLACE.weights, PLACE.folder))) == []


def test_only_what_was_measured_is_held_against_the_plan() -> None:
    plans = [Planned("serve", "weights_gib", 1.0, "at most"), Planned("tune-lora", "torch_memory_gib", 3.0, "at most")]
    assert held(plans, {"serve": {"weights_gib": 0.5, "start_s": 9.0}}) == [Held(plans[0], 0.5)]
