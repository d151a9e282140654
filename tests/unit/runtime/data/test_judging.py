"""What a training would not learn is told when its data is judged, before any node is bought."""

import json
from pathlib import Path
from typing import Any

import pytest

from api.pods.data import DataConfig, DataManifest, request_digest
from api.pods.weights import COMPLETE_MARKER
from runtime.data.check_files import manifest_of
from runtime.pod.exit import Failure
from tests.unit.runtime.turns.rows import ROWS
from tests.unit.runtime.turns.shapes import SHAPES


def judged(tmp_path: Path, rows: list[str], shape: str, **more: Any) -> DataManifest:
    data, tokenizer = tmp_path / "data", tmp_path / "tokenizer"
    for folder in (data, tokenizer):
        folder.mkdir()
    lines = [{"messages": messages, "tools": tools} for messages, tools in map(ROWS.__getitem__, rows)]
    (data / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tokenizer / "chat_template.jinja").write_text(SHAPES[shape].template)
    (tokenizer / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>"}))
    (tokenizer / COMPLETE_MARKER).touch()
    config = DataConfig(folder=str(data), tokenizer_folder=str(tokenizer), **more)
    return manifest_of(config, {}, lambda count: None)


def test_a_system_prompt_that_vanishes_is_told(tmp_path: Path) -> None:
    found = judged(tmp_path, ["one turn", "a system prompt"], "brackets")
    assert found.usable == 2 and found.not_rendered == {"system prompts": 1}
    (warning,) = found.warnings
    assert warning.startswith(
        "the chat template does not render system prompts (1 in 1 row, the first in row 2 of rows"
    )
    assert "ModelConfig.chat_template" in warning


def test_thoughts_and_calls_that_would_not_be_learnt_are_counted(tmp_path: Path) -> None:
    rows = ["thoughts in the text", "thoughts of their own", "two calls at once"]
    found = judged(tmp_path, rows, "an end of all")
    assert found.not_rendered == {"thoughts": 2, "tool calls": 2, "results of tools": 2, "lists of tools": 1}
    assert [warning.partition(" (")[0].rpartition("render ")[2] for warning in found.warnings] == [
        "thoughts", "tool calls", "results of tools", "lists of tools",
    ]  # fmt: skip


def test_rows_that_the_template_refuses_or_shows_nothing_of_are_left_out_with_the_cause(tmp_path: Path) -> None:
    found = judged(tmp_path, ["one turn", "a call last", "the assistant twice"], "alternating")
    assert (found.rows, found.usable) == (3, 1)
    assert [warning.partition(": ")[0] for warning in found.warnings] == ["rows.jsonl row 2", "rows.jsonl row 3"]
    assert "renders nothing" in found.warnings[0] and "roles must alternate" in found.warnings[1]


def test_data_of_which_nothing_can_be_learnt_with_the_template_ends_before_a_purchase(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"none of 1 rows can be trained on: .* renders nothing") as raised:
        judged(tmp_path, ["a call last"], "an end of all")
    assert raised.value.kind.reason == "DataEmpty"


def test_the_configs_own_template_is_judged_by(tmp_path: Path) -> None:
    own = SHAPES["plain turns"].template
    assert not judged(tmp_path, ["two calls at once"], "an end of all", chat_template=own).not_rendered


def test_without_a_template_calls_are_told(tmp_path: Path) -> None:
    assert judged(tmp_path, ["a call without a text"], "plain turns", chat_template="").not_rendered == {
        "tool calls": 1, "lists of tools": 1,
    }  # fmt: skip


@pytest.mark.parametrize("template", ["{% for message in messages %}", "/mnt/data/missing.jinja"])
def test_a_template_that_is_none_is_refused_with_the_place(tmp_path: Path, template: str) -> None:
    with pytest.raises(Failure, match=r"the chat template cannot be used: .*(line 1|missing\.jinja)") as raised:
        judged(tmp_path, ["one turn"], "plain turns", chat_template=template)
    assert raised.value.kind.reason == "ConfigInvalid"


def test_files_that_do_not_come_are_named(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}')
    config = DataConfig(folder=str(tmp_path), tokenizer_folder=str(tmp_path / "not"), tokenizer_deadline_s=0)
    with pytest.raises(Failure, match="the tokenizer's files are not there after 0 s") as raised:
        manifest_of(config, {}, lambda count: None)
    assert raised.value.kind.reason == "DownloadFailed" and raised.value.kind.worth_retrying


def test_another_template_has_the_data_judged_again() -> None:
    config = DataConfig(urls=("http://data/rows.jsonl",), tokenizer_folder="/tokenizer/sha")
    others = [
        config.model_copy(update={"chat_template": "{{ x }}"}),
        config.model_copy(update={"tokenizer_folder": None}),
    ]
    assert len({request_digest(one) for one in (config, *others)}) == 3
