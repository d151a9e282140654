"""Of every conversation, with templates of every shape, exactly the assistant's turns are found, as rendered."""

import contextlib
import json
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import jinja2
import pytest

from api.pods.training_rows import Example, RowUnusable
from runtime.turns.conversations import Conversations
from runtime.turns.marks import Kind
from runtime.turns.spans import Conversation
from runtime.turns.template import rendering
from tests.unit.runtime.turns.oracle import SPECIAL_TOKENS, said_by_marks
from tests.unit.runtime.turns.rows import ROWS, TOOLS, Message, assistant, calls, result, user
from tests.unit.runtime.turns.shapes import SHAPES


def read(shape: str, messages: list[Message], tools: Any = None, learnt_from: int = 0) -> Conversation:
    template, tokens = SHAPES[shape]
    return Conversations(rendering(template, SPECIAL_TOKENS), tokens).read(
        Example(tuple(messages), learnt_from, tools=tools)
    )


def learnt(found: Conversation) -> list[str]:
    return [found.text[turn.begin : turn.end] for turn in found.turns]


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("shape", SHAPES)
def test_exactly_the_assistants_turns_are_found(shape: str, row: str) -> None:
    messages, tools = ROWS[row]
    said = said_in_any_form(SHAPES[shape].template, messages, tools)
    if not any(is_something(SHAPES[shape].tokens, piece) for pieces in said.values() for piece in pieces):
        with pytest.raises(RowUnusable, match="refuses it" if not said else "renders nothing for the assistant"):
            read(shape, messages, tools)
        return
    found = read(shape, messages, tools)
    expected = [piece for piece in said[found.text] if is_something(SHAPES[shape].tokens, piece)]
    if row == "the assistant first":  # nothing before it tells which spaces are its own
        assert [piece.strip() for piece in learnt(found)] == [piece.strip() for piece in expected]
    else:
        assert learnt(found) == expected


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape != "brackets"])
def test_turns_are_the_same_with_a_model_that_does_not_know_the_templates_tokens(shape: str) -> None:
    template, _ = SHAPES[shape]
    for row in ("three turns", "a system prompt", "other scripts"):
        messages, tools = ROWS[row]
        unknowing = Conversations(rendering(template, SPECIAL_TOKENS), ())
        assert learnt(unknowing.read(Example(tuple(messages), tools=tools))) == learnt(read(shape, messages, tools))


def is_something(tokens: Sequence[str], piece: str) -> bool:
    """Whether a piece has more than markup: where nothing of a turn is rendered, its end must not be learnt either."""
    for token in tokens:
        piece = piece.replace(token, "")
    return bool(piece.strip())


def said_in_any_form(template: str, messages: list[Message], tools: object) -> dict[str, list[str]]:
    """By the rendered text, for each form of thoughts and calls that the template takes."""
    found = dict[str, list[str]]()
    for key, text, arguments in product(("reasoning_content", "thinking"), ("", None), (dict, as_text)):
        changed = [in_form(message, key, text, arguments) for message in messages]
        with contextlib.suppress(jinja2.TemplateError, TypeError, AttributeError):
            rendered = said_by_marks(template, changed, tools)
            if "None" not in rendered.text:  # an empty content that the template does not know
                found[rendered.text] = rendered.said
    return found


def as_text(arguments: Any) -> str:
    return json.dumps(arguments, ensure_ascii=False)


def in_form(message: Message, key: str, text: str | None, arguments: Callable[[Any], Any]) -> Message:
    changed = {key if name == "reasoning_content" else name: value for name, value in message.items()}
    if "tool_calls" not in message:
        return changed
    functions = [dict(call["function"]) for call in message["tool_calls"]]
    told = [function | {"arguments": arguments(function["arguments"])} for function in functions]
    calls = [call | {"function": function} for call, function in zip(message["tool_calls"], told, strict=True)]
    return changed | {"content": message["content"] or text, "tool_calls": calls}


def test_of_a_pair_only_the_answer_is_learnt_though_the_assistant_speaks_in_the_prompt() -> None:
    messages = [user("asked 1"), assistant("said 1"), user("asked 2"), assistant("said 2")]
    assert learnt(read("plain turns", messages, learnt_from=3)) == ["said 2<|im_end|>\n"]


@pytest.mark.parametrize(
    ("shape", "row", "kinds"),
    [
        ("plain turns", "thoughts of their own", [Kind.THOUGHT, Kind.THOUGHT]),
        ("thoughts of the last turn", "thoughts in the text", [Kind.THOUGHT]),
        ("thoughts cut off", "thoughts in the text", [Kind.THOUGHT, Kind.THOUGHT]),
        ("brackets", "a system prompt", [Kind.SYSTEM]),
        ("headers", "a call with a text", [Kind.TOOLS, Kind.ANSWER]),
        ("an end of all", "a call without a text", [Kind.TOOLS, Kind.CALL, Kind.RESULT]),
        ("an end of all", "two calls at once", [Kind.TOOLS, Kind.CALL, Kind.CALL, Kind.RESULT, Kind.RESULT]),
        ("channels", "thoughts of their own", []),
        ("plain turns", "two calls at once", []),
        ("plain turns", "an empty thought", []),
    ],
)
def test_what_the_template_does_not_render_is_told(shape: str, row: str, kinds: list[Kind]) -> None:
    messages, tools = ROWS[row]
    assert [part.kind for part in read(shape, messages, tools).lost] == kinds


def test_what_a_prompt_loses_of_the_assistant_is_not_told_because_it_is_not_learnt_anyway() -> None:
    messages, _ = ROWS["thoughts of their own"]
    assert not read("plain turns", [*messages[:3], assistant("said 2")], learnt_from=3).lost


def test_what_is_lost_of_a_turn_that_is_not_to_be_learnt_is_not_told() -> None:
    messages, _ = ROWS["thoughts of their own"]
    template, tokens = SHAPES["plain turns"]
    row = Example(tuple(messages), unlearnt=frozenset({1}))
    found = Conversations(rendering(template, SPECIAL_TOKENS), tokens).read(row)
    assert [part.message for part in found.lost] == [3] and learnt(found) == ["said 2<|im_end|>\n"]


def test_a_turn_of_which_nothing_is_rendered_is_not_learnt_as_silence() -> None:
    messages, tools = ROWS["a call without a text"]
    assert learnt(read("an end of all", messages, tools)) == ["said 1<|end|>\n</s>"]


def test_a_row_of_which_nothing_is_rendered_is_refused() -> None:
    with pytest.raises(RowUnusable, match="renders nothing for the assistant's messages"):
        read("an end of all", *ROWS["a call last"])


def test_a_result_between_a_call_and_its_text_is_not_learnt() -> None:
    template = (
        "{% for message in messages %}{% if message.role == 'user' %}<user>{{ message.content }}"
        "{% elif message.role == 'assistant' %}<model>{% for call in message.tool_calls or [] %}"
        "<call>{{ call.function.name }}{{ call.function.arguments | tojson }}<called>{% endfor %}"
        "{% for other in messages[loop.index:] if other.role == 'tool' and message.tool_calls %}"
        "<result>{{ other.content }}<resulted>{% endfor %}{{ message.content }}<end>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<model>{% endif %}"
    )
    tokens = ("<user>", "<model>", "<call>", "<called>", "<result>", "<resulted>", "<end>")
    messages, tools = ROWS["a call with a text"]
    found = Conversations(rendering(template, {}), tokens).read(Example(tuple(messages), tools=tools))
    assert learnt(found) == ['<call>weather{"city": "Ulm"}<called>', "said 0<end>", "said 1<end>", "said 2<end>"]


def test_a_call_is_learnt_whole_where_its_name_stands_twice() -> None:
    template = (
        "{% for message in messages %}<{{ message.role }}>{% for call in message.tool_calls or [] %}"
        "to {{ call.function.name }}: {{ call.function.name }}{{ call.function.arguments | tojson }}{% endfor %}"
        "{{ message.content }}<end>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    messages, tools = ROWS["no arguments"]
    row = Example(tuple(messages), tools=tools)
    found = Conversations(rendering(template, {}), ("<user>", "<assistant>", "<tool>", "<end>")).read(row)
    assert learnt(found) == ["to weather: weather{}<end>", "said 1<end>"]


def test_a_template_that_looks_how_a_text_begins_and_ends_is_read() -> None:
    template = (
        "{% for message in messages %}<{{ message.role }}>{% if message.content.startswith('yes') and "
        "message.content.endswith('!') %}(sure){% endif %}{{ message.content }}<end>{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    messages = [user("yes?!"), assistant("yes, of course!"), user("yes!"), assistant("yes!")]
    found = Conversations(rendering(template, {}), ("<user>", "<assistant>", "<end>")).read(Example(tuple(messages)))
    assert learnt(found) == ["(sure)yes, of course!<end>", "(sure)yes!<end>"]


def test_the_form_that_shows_the_calls_is_remembered() -> None:
    seen = list[Any]()
    render = rendering(*SHAPES["thoughts cut off"][:1], SPECIAL_TOKENS)

    def counting(messages: Any, tools: Any, asks: bool) -> str:
        seen.append(messages)
        return render(messages, tools, asks)

    conversations = Conversations(counting, SHAPES["thoughts cut off"].tokens)
    row = Example(
        (user("asked"), assistant("", **calls({"city": "Ulm"})), result("told"), assistant("said")), tools=TOOLS
    )
    first = conversations.read(row)
    tries = len(seen)
    assert conversations.read(row) == first and len(seen) < 2 * tries


def test_a_row_whose_answer_cannot_be_found_is_refused_by_name() -> None:
    template = "{% for message in messages %}<{{ message.role }}>{{ message.content | sort | join }}<end>{% endfor %}"
    with pytest.raises(RowUnusable, match="renders the answers of message 2 so that they cannot be found"):
        Conversations(rendering(template, {}), ()).read(Example((user("asked"), assistant("said"))))
