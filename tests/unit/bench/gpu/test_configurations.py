"""Both programs of a pair are given the same: arguments of servers, settings and rows of trainings."""

import json
from pathlib import Path

import pytest

from bench.gpu.machine.device import CHOSEN, parsed
from bench.gpu.machine.place import Place
from bench.gpu.machine.processes import PartFailed
from bench.gpu.machine.sizes import ON_CPU, ON_GPU, SERVER_S, STOP_S, TRAINING_S, WITHIN_S, Size
from bench.gpu.machine.weights import Weights, find_weights
from bench.gpu.parts.servers import arguments_of, config_for
from bench.gpu.parts.training import training_config, written_rows
from deploy.local.mirror.repositories.catalog import SMOLLM2

GPU = parsed("3", "NVIDIA H200, 580.159.03, 143771, 4, 9.0")
SMOLLM2_CONFIG = {
    "architectures": ["LlamaForCausalLM"], "hidden_size": 576, "num_hidden_layers": 30, "vocab_size": 49152,
    "num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 8192,
}  # fmt: skip


def a_model(folder: Path, **config: object) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(SMOLLM2_CONFIG | config))
    (folder / "model.safetensors").write_bytes(bytes(1 << 20))
    return folder


def a_place(folder: Path, gpu: bool = True) -> Place:
    weights = Weights(a_model(folder / "model"), SMOLLM2, "")
    return Place("cuda", GPU, weights, folder) if gpu else Place("cpu", None, weights, folder)


def test_a_server_on_a_gpu_gets_what_the_plan_says(tmp_path: Path) -> None:
    place = a_place(tmp_path)
    arguments = arguments_of(config_for(place, tmp_path / "serve"), place)
    assert {"--gpu-memory-utilization=0.9", "--max-model-len=8192", "--dtype=auto"} <= set(arguments)
    assert place.environment[CHOSEN] == "3"


def test_a_server_on_cpus_gets_main_memory(tmp_path: Path) -> None:
    place = a_place(tmp_path, gpu=False)
    arguments = arguments_of(config_for(place, tmp_path / "serve"), place)
    assert {"--kv-cache-memory-bytes=134217728", "--dtype=float32"} <= set(arguments)
    assert place.environment[CHOSEN] == ""


def test_programs_of_a_run_share_no_cache(tmp_path: Path) -> None:
    place = a_place(tmp_path)
    ours, plain = (place.caches(tmp_path / name) for name in ("ours", "plain"))
    assert ours.keys() == plain.keys() and not set(ours.values()) & set(plain.values())


@pytest.mark.parametrize("size", [ON_GPU, ON_CPU], ids=["GPU", "CPU"])
def test_there_is_a_row_for_each_place_in_a_step_the_same_ones_each_time(size: Size, tmp_path: Path) -> None:
    first, second = (written_rows(tmp_path / name / "rows.jsonl", size) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    assert len(first.read_text().splitlines()) == size.rows_a_step * size.steps
    assert size.steps % size.logging_steps == 0, "the last loss is a mean over whole logging steps"


def test_qlora_packs_and_lora_does_not(tmp_path: Path) -> None:
    place = a_place(tmp_path)
    assert training_config(place, "qlora").quantization.quantizes
    assert not training_config(place, "lora").quantization.quantizes


def test_a_given_folder_of_smollm2s_shape_is_planned_as_smollm2(tmp_path: Path) -> None:
    assert find_weights(str(a_model(tmp_path / "same")), "cuda", tmp_path).repo == SMOLLM2
    other = find_weights(str(a_model(tmp_path / "other", num_hidden_layers=4)), "cuda", tmp_path)
    assert other.repo == "given/other" and other.model.layer_count == 4


def test_a_given_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PartFailed, match=r"has no config\.json: give the folder of a transformers model"):
        find_weights(str(tmp_path), "cuda", tmp_path)


def test_a_check_on_a_gpu_ends_within_eight_minutes() -> None:
    assert WITHIN_S["cuda"] + STOP_S < 8 * 60
    assert max(SERVER_S["cuda"], TRAINING_S["cuda"]) < WITHIN_S["cuda"]
