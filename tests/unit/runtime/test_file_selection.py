"""Which files of a repository are fetched."""

import pytest

from runtime.fetch.selection import RemoteFile, select_files, select_tokenizer, total_size

NEEDED = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "merges.txt",
    "chat_template.jinja",
]


def selected(*paths: str) -> list[str]:
    return [file.path for file in select_files([RemoteFile(path) for path in paths])]


def test_a_plain_repository_is_taken_whole() -> None:
    paths = [*NEEDED, "model.safetensors"]
    assert selected(*paths) == paths


@pytest.mark.parametrize(
    "duplicate",
    [
        "pytorch_model.bin",
        "pytorch_model-00001-of-00002.bin",
        "pytorch_model.bin.index.json",
        "original/consolidated.00.pth",
        "original/params.json",
        "consolidated.safetensors",
        "consolidated.00.pth",
        "metal/model.bin",
        "onnx/model.onnx",
        "onnx/model.onnx_data",
        "model-q4.gguf",
        "flax_model.msgpack",
        "tf_model.h5",
        "rust_model.ot",
        "model.fp16.safetensors",
        "runs/events.out.tfevents.1",
        "checkpoint-100/model.safetensors",
        "training_args.bin",
        "optimizer.pt",
        ".gitattributes",
        "README.md",
        "figures/plot.png",
    ],
)
def test_what_a_server_never_reads_is_left(duplicate: str) -> None:
    paths = [*NEEDED, "model-00001-of-00002.safetensors", "model.safetensors.index.json"]
    assert selected(*paths, duplicate) == paths


def test_pickled_weights_are_taken_when_there_are_no_others() -> None:
    paths = ["config.json", "pytorch_model.bin.index.json", "pytorch_model-00001-of-00001.bin"]
    assert selected(*paths) == paths


def test_consolidated_weights_are_taken_when_there_are_no_others() -> None:
    paths = ["params.json", "tekken.json", "consolidated.safetensors"]
    assert selected(*paths, "consolidated.00.pth") == paths


def test_a_variant_is_taken_when_there_is_nothing_else() -> None:
    assert selected("config.json", "model.fp16.safetensors") == ["config.json", "model.fp16.safetensors"]


def test_code_of_the_model_is_taken_so_that_it_can_be_trusted_on_request() -> None:
    assert "modeling_phi3.py" in selected("modeling_phi3.py", "model.safetensors")


def test_a_file_of_unknown_size_counts_as_nothing() -> None:
    assert total_size([RemoteFile("a", 3), RemoteFile("b", None)]) == 3


def test_judging_data_needs_the_tokenizer_and_its_templates_alone() -> None:
    names = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"]
    names += ["additional_chat_templates/tool_use.jinja", "original/tokenizer.json", "README.md"]
    found = [file.path for file in select_tokenizer([RemoteFile(name, 1) for name in names])]
    assert found == [*names[2:5], "additional_chat_templates/tool_use.jinja"]
    assert select_tokenizer([RemoteFile("model.safetensors", 1)]) == []
