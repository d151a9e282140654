"""A prompt to a model with a chat template is a question; to any other it is text to continue."""

import json
from pathlib import Path

from runtime.serve.chat.request import ChatRequest, question
from runtime.serve.chat.templates import has_chat_template


def test_a_template_is_found_wherever_transformers_keeps_it(tmp_path: Path) -> None:
    assert not has_chat_template(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 10}))
    assert not has_chat_template(tmp_path)
    assert has_chat_template(tmp_path, "given by the user")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}"}))
    assert has_chat_template(tmp_path)
    (tmp_path / "tokenizer_config.json").unlink()
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}")
    assert has_chat_template(tmp_path)


def test_a_prompt_is_a_question_or_text_to_continue() -> None:
    request = ChatRequest.model_validate({"prompt": "Paris?", "prefix": "In French: "})
    assert question(request) == "In French: Paris?"
    assert question(request, as_messages=True) == [{"role": "user", "content": "In French: Paris?"}]
