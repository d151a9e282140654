"""A conversation of any length is read as a short one is, in time by its length."""

import contextlib
from collections.abc import Sequence
from typing import Any

import pytest

from api.pods.training_rows import RowUnusable
from runtime.turns.spans import Conversation, conversation_of
from runtime.turns.steady import ALIKE
from runtime.turns.template import rendering
from tests.unit.runtime.turns.oracle import SPECIAL_TOKENS
from tests.unit.runtime.turns.published import published_templates, tokens_in
from tests.unit.runtime.turns.rows import ROWS, TOOLS, Message
from tests.unit.runtime.turns.shapes import SHAPES

MESSAGES = 3 * ALIKE
ROLES = ("user", "assistant")
PUBLISHED = ("qwen3", "llama3", "gptoss", "glm4moe", "cohere2", "gemma3", "phi3", "deepseekv3")
TEMPLATES: dict[str, tuple[str, Any]] = {name: (shape.template, shape.tokens) for name, shape in SHAPES.items()} | {
    name: (text, tokens_in(text)) for name, text in published_templates().items() if name in PUBLISHED
}
TURNS = [
    list(messages)
    for messages, _ in ROWS.values()
    if messages and messages[0]["role"] == "user" and messages[-1]["role"] == "assistant"
]


def read(template: str, tokens: Any, messages: Sequence[Message], alike: int) -> Conversation | str:
    try:
        return conversation_of(rendering(template, SPECIAL_TOKENS), messages, TOOLS, 0, tokens, alike=alike)
    except RowUnusable as error:
        return str(error)


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_was_alike_many_times_is_what_each_turn_would_have_shown(name: str) -> None:
    template, tokens = TEMPLATES[name]
    plain = [message for turns in TURNS for message in turns if set(message) == {"role", "content"}]
    for messages in (
        TURNS[0] * MESSAGES,
        plain * MESSAGES,
        [message for turns in TURNS for message in turns] * MESSAGES,
    ):
        messages = messages[:MESSAGES]
        assert read(template, tokens, messages, ALIKE) == read(template, tokens, messages, MESSAGES)


@pytest.mark.parametrize("name", SHAPES)
def test_a_template_is_not_rendered_anew_for_each_turn_of_a_long_conversation(name: str) -> None:
    rendered = rendering(TEMPLATES[name][0], SPECIAL_TOKENS)

    def renderings(turns: int) -> int:
        messages = [{"role": role, "content": f"{role} says {at}"} for at in range(turns) for role in ROLES]
        asked = 0

        def render(*arguments: Any) -> str:
            nonlocal asked
            asked += 1
            return rendered(*arguments)

        with contextlib.suppress(RowUnusable):
            assert len(conversation_of(render, messages, None, 0, TEMPLATES[name][1]).turns) in (turns, 1, 0)
        return asked

    assert renderings(8 * ALIKE) == renderings(4 * ALIKE)
