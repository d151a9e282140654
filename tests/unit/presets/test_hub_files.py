"""Which files are the weights, and that the planner counts what the pod fetches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presets.hub.model import HubFile, weight_bytes, weight_files
from presets.hub.weight_files import only_consolidated
from runtime.fetch.selection import RemoteFile, select_files

WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")
CHOICES = [
    pytest.param(["model.safetensors", "pytorch_model.bin"], ["model.safetensors"], id="safetensors before pickles"),
    pytest.param(["pytorch_model.bin", "training_args.bin"], ["pytorch_model.bin"], id="pickles where nothing else is"),
    pytest.param(["model-1-of-2.safetensors", "model-2-of-2.safetensors", "consolidated.safetensors"],
                 ["model-1-of-2.safetensors", "model-2-of-2.safetensors"], id="shards before consolidated"),
    pytest.param(["consolidated.safetensors"], ["consolidated.safetensors"], id="consolidated alone"),
    pytest.param(["model.safetensors", "original/model.safetensors", "metal/model.bin", "onnx/model.onnx_data"],
                 ["model.safetensors"], id="gpt-oss: the same again in folders"),
    pytest.param(["original/consolidated.00.pth", "model.safetensors"], ["model.safetensors"], id="llama"),
    pytest.param(["model.fp16.safetensors", "model.safetensors"], ["model.safetensors"], id="the plain precision"),
    pytest.param(["model.gguf", "config.json"], [], id="another engine's"),
    pytest.param(["checkpoint-500/model.safetensors", "model.safetensors"], ["model.safetensors"], id="checkpoints"),
]  # fmt: skip


@pytest.mark.parametrize(("there", "chosen"), CHOICES)
def test_one_copy_of_the_weights_is_counted(there: list[str], chosen: list[str]) -> None:
    files = [HubFile(name, 3) for name in there]
    assert [file.path for file in weight_files(files)] == chosen
    assert weight_bytes(files) == 3 * len(chosen)


def test_mistrals_layout_is_known_where_it_is_the_only_one() -> None:
    assert only_consolidated([HubFile("consolidated-00001-of-2.safetensors", 1)])
    assert not only_consolidated([HubFile("model.safetensors", 1), HubFile("consolidated.safetensors", 1)])
    assert not only_consolidated([])


folders = st.sampled_from(["", "original/", "metal/", "onnx/", "sub/", "checkpoint-7/", ".cache/", "runs/"])
stems = st.sampled_from(
    ["model", "model-00001-of-2", "consolidated", "pytorch_model", "model.fp16", "training_args", "x.bf16-1"]
)
endings = st.sampled_from([*WEIGHTS, ".gguf", ".json", ".safetensors.index.json", ".onnx", ".md"])
names = st.builds("".join, st.tuples(folders, stems, endings))


@given(st.lists(names, unique=True, max_size=12))
def test_the_planner_counts_what_the_pod_fetches(paths: list[str]) -> None:
    fetched = select_files([RemoteFile(path, 1) for path in paths])
    weights = {file.path for file in fetched if file.path.endswith(WEIGHTS)}
    assert {file.path for file in weight_files([HubFile(path, 1) for path in paths])} == weights
