"""The chat template of a model is found wherever its repository keeps it, with the texts that are one token."""

import json
from pathlib import Path

import pytest

from runtime.data.chat_template import chat_template_of


def write(folder: Path, **files: object) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def test_a_file_of_its_own_comes_before_the_tokenizers_configuration(tmp_path: Path) -> None:
    write(tmp_path, tokenizer_config__json={"chat_template": "older"})
    assert chat_template_of(tmp_path, None).of(None) == "older"
    write(tmp_path, chat_template__json={"chat_template": "old"})
    assert chat_template_of(tmp_path, None).of(None) == "old"
    write(tmp_path, chat_template__jinja="new")
    assert chat_template_of(tmp_path, None).of(None) == "new"


def test_a_conversation_with_tools_has_the_template_for_them(tmp_path: Path) -> None:
    named = [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "with tools"}]
    found = chat_template_of(write(tmp_path, tokenizer_config__json={"chat_template": named}), None)
    assert [found.of(None), found.of([{"type": "function"}])] == ["plain", "with tools"]


def test_a_model_without_a_template_has_none(tmp_path: Path) -> None:
    assert chat_template_of(tmp_path, None).of(None) is None


def test_the_config_replaces_the_models_template_and_an_empty_one_is_none(tmp_path: Path) -> None:
    write(tmp_path, chat_template__jinja="the model's", mine__jinja="mine")
    assert chat_template_of(tmp_path, "{{ inline }}").of(None) == "{{ inline }}"
    assert chat_template_of(tmp_path, str(tmp_path / "mine.jinja")).of(None) == "mine"
    assert chat_template_of(tmp_path, "").of(None) is None
    with pytest.raises(OSError, match=r"not\.jinja"):
        chat_template_of(tmp_path, str(tmp_path / "not.jinja"))


def test_special_tokens_and_added_ones_are_known(tmp_path: Path) -> None:
    write(
        tmp_path,
        tokenizer_config__json={
            "bos_token": {"content": "<s>"},
            "eos_token": "</s>",
            "unk_token": None,
            "added_tokens_decoder": {"7": {"content": "<|im_end|>"}},
        },
        tokenizer__json='{"version": "1.0", "added_tokens": [{"id": 8, "content": "<think>"}], "model": {"vocab": {"a',
    )
    found = chat_template_of(tmp_path, None)
    assert found.special_tokens == {"bos_token": "<s>", "eos_token": "</s>"}
    assert found.tokens == ("</s>", "<s>", "<think>", "<|im_end|>")
