"""Which tokens are learnt: the assistant's turns with what ends them, and never the rest."""

import json
from typing import Any

import pytest

from api.configs.training_sections import DatasetConfig
from api.pods.training_rows import Example, RowUnusable, columns_of, example_of
from runtime.tune.data.tokens import NOT_LEARNT, Learn, Tokenizing, Tokens, fitted
from tests.unit.runtime.tune.letters import Letters
from tests.unit.runtime.turns.rows import ROWS, TOOLS, assistant, calls, result, user
from tests.unit.runtime.turns.shapes import SHAPES

Messages = tuple[dict[str, Any], ...]


def letters(shape: str = "plain turns", **more: Any) -> Letters:
    return Letters(SHAPES[shape].template, SHAPES[shape].tokens, **more)


def said(*turns: str) -> Messages:
    roles = ("user", "assistant")
    return tuple({"role": roles[at % 2], "content": turn} for at, turn in enumerate(turns))


def learnt(tokens: Tokens, tokenizer: Letters) -> str:
    assert len(tokens.ids) == len(tokens.labels)
    assert all(label in (NOT_LEARNT, token) for token, label in zip(tokens.ids, tokens.labels, strict=True))
    return tokenizer.text_of([label for label in tokens.labels if label != NOT_LEARNT])


def learnt_of(example: Example, tokenizer: Letters, learn: Learn = "answers", stop: str = "<|im_end|>") -> str:
    stops = [tokenizer.eos_token_id, tokenizer.id_of(stop)] if stop in tokenizer.added_tokens_decoder.values() else []
    return learnt(Tokenizing(tokenizer, learn, stops or [tokenizer.eos_token_id]).tokens(example), tokenizer)


@pytest.mark.parametrize("is_fast", [True, False], ids=["fast", "slow"])
def test_answers_are_learnt_with_their_ends_and_questions_are_not(is_fast: bool) -> None:
    row = Example(said("hi", "yes", "and?", "no"))
    assert learnt_of(row, letters(is_fast=is_fast)) == "yes<|im_end|>\nno<|im_end|>\n"


def test_a_pairs_prompt_is_not_learnt_though_the_assistant_speaks_in_it() -> None:
    row = Example(said("hi", "yes", "and?", "no"), learnt_from=3)
    assert learnt_of(row, letters()) == "no<|im_end|>\n"


@pytest.mark.parametrize("mark", [{"weight": 0}, {"weight": 0.0}, {"train": False}])
@pytest.mark.parametrize("shape", ["plain turns", "brackets", "no ends"])
def test_a_turn_that_its_writer_does_not_want_learnt_is_shown_and_not_learnt(shape: str, mark: dict[str, Any]) -> None:
    turns = [user("hi"), assistant("nonsense", **mark), user("and?"), assistant("yes", weight=1, train=True)]
    row = example_of({"messages": turns}, columns_of(["messages"], DatasetConfig()))
    tokenizer = letters(shape)
    tokens = Tokenizing(tokenizer, "answers", [tokenizer.eos_token_id]).tokens(row)
    assert "yes" in learnt(tokens, tokenizer) and "nonsense" not in learnt(tokens, tokenizer)
    assert "nonsense" in tokenizer.text_of(tokens.ids)
    plain = Tokenizing(Letters(None), "answers", [tokenizer.eos_token_id]).tokens(row)
    assert learnt(plain, tokenizer) == "yes</s>"


@pytest.mark.parametrize("is_fast", [True, False], ids=["fast", "slow"])
def test_every_turn_is_learnt_where_only_the_last_one_gets_an_empty_thought(is_fast: bool) -> None:
    row = Example(said("1?", "one", "2?", "two", "3?", "three"))
    empty = "<think>\n\n</think>\n\n"
    found = learnt_of(row, letters("thoughts of the last turn", is_fast=is_fast))
    assert found == f"one<|im_end|>\ntwo<|im_end|>\n{empty}three<|im_end|>\n"


def test_a_tool_call_is_learnt_where_only_the_last_turn_gets_an_empty_thought() -> None:
    messages, tools = ROWS["a call without a text"]
    found = learnt_of(Example(tuple(messages), tools=tools), letters("thoughts of the last turn"))
    assert '"arguments": {"city": "Ulm"}}\n</tool_call><|im_end|>' in found and "told" not in found


CALLED = '<tool_call>\n{"name": "weather", "arguments": {"city": "Ulm"}}\n</tool_call><|im_end|>\nIt rains.<|im_end|>\n'
ASKED = [user("Weather?"), assistant("", **calls({"city": "Ulm"})), result("rain"), assistant("It rains.")]
PARTS = [
    message | {"content": [{"type": "text", "text": message["content"]}]} if message["content"] else message
    for message in ASKED
]
OTHERWISE: dict[str, dict[str, Any]] = {
    "content in parts": {"messages": PARTS, "tools": TOOLS},
    "arguments as text": {
        "messages": [ASKED[0], assistant(None, **calls('{"city": "Ulm"}')), *ASKED[2:]], "tools": TOOLS,
    },
    "tools as text": {"messages": ASKED, "tools": json.dumps(TOOLS)},
    "nulls that a file of columns fills in": {
        "messages": [{"tool_calls": None, "name": None} | message for message in ASKED],
        "tools": [{"strict": None, **TOOLS[0]}],
    },
    "a pair of lists": {"prompt": ASKED[:1], "completion": PARTS[1:], "tools": json.dumps(TOOLS)},
}  # fmt: skip


@pytest.mark.parametrize("row", OTHERWISE.values(), ids=OTHERWISE)
def test_however_a_row_is_written_the_same_is_shown_and_learnt(row: dict[str, Any]) -> None:
    tokenizer = letters()
    tokenizing = Tokenizing(tokenizer, "answers", [tokenizer.eos_token_id, tokenizer.id_of("<|im_end|>")])
    usual = tokenizing.tokens(Example(tuple(ASKED), tools=TOOLS))
    assert learnt(usual, tokenizer) == CALLED
    found = tokenizing.tokens(example_of(row, columns_of(row, DatasetConfig())))
    assert tokenizer.text_of(found.ids) == tokenizer.text_of(usual.ids)
    assert learnt(found, tokenizer) == CALLED and not found.lost


def test_a_question_is_not_learnt_where_the_system_prompt_vanishes_and_that_is_told() -> None:
    row = Example(({"role": "system", "content": "be brief"}, *said("hi?", "yes", "and?", "no")))
    tokenizer = letters("brackets")
    tokens = Tokenizing(tokenizer, "answers", [tokenizer.eos_token_id]).tokens(row)
    assert learnt(tokens, tokenizer) == " yes</s> no</s>"
    assert [part.kind for part in tokens.lost] == ["system prompts"]


def test_a_template_that_ends_no_turns_gets_the_end_appended() -> None:
    assert learnt_of(Example(said("hi", "yes")), letters("no ends")) == "yes</s>"


def test_an_end_within_the_answer_does_not_end_it() -> None:
    assert learnt_of(Example(said("hi", "a </s>")), letters("no ends")) == "a </s></s>"


def test_everything_is_learnt_when_it_is_asked_for() -> None:
    whole = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nyes<|im_end|>\n"
    assert learnt_of(Example(said("hi", "yes")), letters(), "everything") == whole


def test_without_a_template_a_pair_is_its_two_texts() -> None:
    tokenizer = Letters(None)
    found = Tokenizing(tokenizer, "answers", [tokenizer.eos_token_id]).tokens(Example(said("2+2=", "4"), learnt_from=1))
    assert learnt(found, tokenizer) == "4</s>" and len(found.ids) == 6


def test_without_a_template_a_call_is_told_and_never_learnt_as_silence() -> None:
    tokenizing = Tokenizing(tokenizer := Letters(None), "answers", [tokenizer.eos_token_id])
    call = assistant("", **calls({"city": "Ulm"}))
    found = tokenizing.tokens(Example((user("hi"), call, user("so?"), assistant("yes"))))
    assert learnt(found, tokenizer) == "yes</s>" and [part.kind for part in found.lost] == ["tool calls"]
    with pytest.raises(RowUnusable, match="without a chat template nothing but texts is learnt"):
        tokenizing.tokens(Example((user("hi"), call)))


def test_a_text_is_learnt_whole_and_ended_once() -> None:
    assert learnt_of(Example(text="abc"), Letters(None)) == "abc</s>"
    assert learnt_of(Example(text="abc</s>"), Letters(None)) == "abc</s>"


@pytest.mark.parametrize("text", ["abc", "<s>abc"])
def test_a_text_begins_once_whether_or_not_its_own_beginning_is_in_it(text: str) -> None:
    assert learnt_of(Example(text=text), Letters(None, begins=True)) == "<s>abc</s>"


def test_a_prompt_without_a_template_begins_once() -> None:
    tokenizer = Letters(None, begins=True)
    found = Tokenizing(tokenizer, "everything", [tokenizer.eos_token_id]).tokens(Example(said("<s>a", "b")))
    assert learnt(found, tokenizer) == "<s>ab</s>"


def test_a_row_that_the_template_refuses_has_the_cause() -> None:
    with pytest.raises(RowUnusable, match="the chat template refuses it: roles must alternate"):
        learnt_of(Example(said("hi", "yes") + said("hi", "yes")[1:]), letters("alternating"))


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("shape", ["plain turns", "brackets", "channels", "no ends"])
def test_a_slow_tokenizer_learns_what_a_fast_one_does(shape: str, row: str) -> None:
    messages, tools = ROWS[row]
    example = Example(tuple(messages), tools=tools)
    try:
        expected = learnt_of(example, letters(shape))
    except RowUnusable:
        return
    assert learnt_of(example, letters(shape, is_fast=False)) == expected


@pytest.mark.parametrize(
    ("longest", "keep_end", "labels"),
    [
        (4, False, [NOT_LEARNT, NOT_LEARNT, 3, 4]),
        (3, False, [NOT_LEARNT, NOT_LEARNT, 3]),
        (2, False, None),
        (1, True, [4]),
    ],
)
def test_long_rows_lose_an_end_and_go_when_nothing_is_left_to_learn(
    longest: int, keep_end: bool, labels: list[int] | None
) -> None:
    fit = fitted(Tokens([1, 2, 3, 4], [NOT_LEARNT, NOT_LEARNT, 3, 4]), longest, keep_end=keep_end)
    assert (fit.labels if fit else None) == labels
