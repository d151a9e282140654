"""With every chat template that trl ships, the assistant's turns are found, and nothing of anybody else.

trl's templates for training have marks around what the assistant says: transformers' own reading of them is compared.
"""

import json
import subprocess
from functools import cache
from typing import Any

import pytest

from api.pods.training_rows import Example, RowUnusable
from runtime.turns.conversations import Conversations
from runtime.turns.places import Render
from runtime.turns.spans import Conversation
from runtime.turns.template import rendering
from tests.unit.runtime.turns.oracle import SPECIAL_TOKENS
from tests.unit.runtime.turns.page import PAGE, with_table
from tests.unit.runtime.turns.published import PYTHON, published_templates, tokens_in
from tests.unit.runtime.turns.rows import ROWS

RENDER = """
import json, sys
from transformers.utils.chat_template_utils import render_jinja_template
asked = json.load(sys.stdin)
found = {}
for name, template in asked["templates"].items():
    for row, (messages, tools) in asked["rows"].items():
        try:
            (text,), (spans,) = render_jinja_template(
                [messages], tools, chat_template=template, return_assistant_tokens_mask=True, **asked["special"]
            )
        except Exception:
            continue
        found[f"{name}: {row}"] = [text, spans]
print(json.dumps(found))
"""
OF_THE_ASSISTANT = ("said", "thought", "Ulm", "Gera", "Köln")
OF_OTHERS = ("asked", "told", "be brief")
HANDS_OVER = "<|tool_response>"
"""Gemma's, with which the model ends a turn of calls; trl's marks leave it out."""
TWICE = "the assistant twice"
"""Some templates make one turn of it, and marks that follow one another do not tell which."""

pytestmark = pytest.mark.skipif(not published_templates(), reason="the runtime environment is not installed")


@pytest.fixture(scope="module")
def by_transformers() -> dict[str, tuple[str, list[list[int]]]]:
    """The text and the marked spans, by template and row, of what is not refused."""
    asked = json.dumps({"templates": published_templates(), "rows": ROWS, "special": SPECIAL_TOKENS})
    told = subprocess.run([PYTHON, "-c", RENDER], input=asked, capture_output=True, text=True, timeout=500, check=True)
    found = json.loads(told.stdout.splitlines()[-1])
    assert len(found) > 1000
    return {name: (text, spans) for name, (text, spans) in found.items()}


@cache
def renders(name: str) -> Render:
    return rendering(published_templates()[name], SPECIAL_TOKENS)


@cache
def read(name: str, row: str) -> Conversation | None:
    messages, tools = ROWS[row]
    conversations = Conversations(renders(name), tokens_in(published_templates()[name]))
    try:
        return conversations.read(Example(tuple(messages), tools=tools))
    except RowUnusable:
        return None


def learnt(found: Conversation) -> list[str]:
    return [found.text[turn.begin : turn.end] for turn in found.turns]


def test_templates_are_rendered_as_transformers_does(by_transformers: dict[str, tuple[str, Any]]) -> None:
    differing = []
    for name in published_templates():
        for row, (messages, tools) in ROWS.items():
            try:
                text = renders(name)(messages, tools, False)
            except RowUnusable:
                text = None
            if text != by_transformers.get(f"{name}: {row}", (None,))[0]:
                differing.append(f"{name}: {row}")
    assert differing == []


@pytest.mark.parametrize("row", ROWS)
def test_all_that_is_rendered_of_the_assistant_is_learnt_and_nothing_of_others(row: str) -> None:
    wrong = []
    for name in published_templates():
        if (found := read(name, row)) is None:
            continue
        spans = [range(turn.begin, turn.end) for turn in found.turns]
        rest = "".join(letter for at, letter in enumerate(found.text) if not any(at in span for span in spans))
        said = "".join(learnt(found))
        wrong += [f"{name}: {word} is not learnt" for word in OF_THE_ASSISTANT if word in rest]
        wrong += [f"{name}: {word} is learnt" for word in OF_OTHERS if word in said]
    assert wrong == []


@pytest.mark.parametrize("row", [row for row in ROWS if row != TWICE])
def test_turns_are_those_that_trl_marks(row: str, by_transformers: dict[str, tuple[str, list[list[int]]]]) -> None:
    """But for what asks for the turn, which some marks include, and turns of which nothing is rendered."""
    for name in (name for name in published_templates() if name.endswith("_training")):
        found, (text, spans) = read(name, row), by_transformers.get(f"{name}: {row}", ("", []))
        if found is None or found.text != text:
            continue
        asks = what_asks(name)
        marked = joined(name, text, spans, asks)
        turns = [turn.replace(HANDS_OVER, "") for turn in learnt(found)]
        assert len(marked) == len(turns), name
        for mark, turn in zip(marked, turns, strict=True):
            assert mark.rstrip().endswith(turn.rstrip()), name
            before = mark.rstrip().removesuffix(turn.rstrip())
            assert before in asks or not is_something(name, before), name


def test_the_page_has_the_table_of_what_is_learnt() -> None:
    assert PAGE.read_text() == with_table(PAGE.read_text()), "run: python -m tests.unit.runtime.turns.page"


def what_asks(name: str) -> str:
    question = [{"role": "user", "content": "?"}]
    asking, told = renders(name)(question, None, True), renders(name)(question, None, False)
    return asking.removeprefix(told) if asking.startswith(told) else asking.partition("?")[2]


def joined(name: str, text: str, spans: list[list[int]], asks: str) -> list[str]:
    """Returns the marked pieces of which something is rendered. Pieces without anything between them are one, unless
    the second begins with what asks for a turn."""
    found, until = list[str](), -1
    tokens = [token for token in tokens_in(published_templates()[name]) if token in asks]
    for begin, end in spans:
        piece = text[begin:end]
        if begin == until and not piece.startswith(tuple(tokens)):
            found[-1] += piece
        else:
            found.append(piece)
        until = end
    return [piece for piece in found if is_something(name, piece)]


def is_something(name: str, piece: str) -> bool:
    for token in tokens_in(published_templates()[name]):
        piece = piece.replace(token, "")
    return bool(piece.strip())
