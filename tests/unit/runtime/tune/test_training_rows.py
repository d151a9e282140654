"""What columns mean, and how a row reads."""

from typing import Any

import pytest

from api.configs.training_sections import DatasetConfig
from api.pods.training_rows import Columns, ColumnsUnknown, Example, RowUnusable, Shape, columns_of, example_of

USER, ASSISTANT = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}


def columns(*names: str, **chosen: str) -> Columns:
    return columns_of(names, DatasetConfig.model_validate(chosen))


def read(row: dict[str, Any], **chosen: str) -> Example:
    return example_of(row, columns(*row, **chosen))


@pytest.mark.parametrize(
    ("names", "chosen", "shape"),
    [
        (("id", "messages"), {}, Shape.MESSAGES),
        (("conversations",), {}, Shape.MESSAGES),
        (("prompt", "completion"), {}, Shape.PAIR),
        (("instruction", "input", "output", "text"), {}, Shape.PAIR),
        (("Question", "Answer"), {}, Shape.PAIR),
        (("input", "output"), {}, Shape.PAIR),
        (("text", "label"), {}, Shape.TEXT),
        (("prompt", "completion", "body"), {"response_column": "body", "context_column": "prompt"}, Shape.PAIR),
        (("body",), {"response_column": "body"}, Shape.TEXT),
        (("prompt", "text"), {"response_column": "text"}, Shape.TEXT),
        (("talk", "text"), {"messages_column": "talk"}, Shape.MESSAGES),
    ],
)
def test_columns_are_known_by_name_or_by_the_users_choice(
    names: tuple[str, ...], chosen: dict[str, str], shape: Shape
) -> None:
    assert columns(*names, **chosen).shape is shape


def test_unknown_columns_are_reported_with_the_known_ones() -> None:
    with pytest.raises(ColumnsUnknown, match=r"none of the columns colour, flavour is known; use messages; prompt and"):
        columns("flavour", "colour")


def test_a_missing_named_column_is_reported_with_the_existing_ones() -> None:
    with pytest.raises(ColumnsUnknown, match="no column 'reply'; the columns are answer, question"):
        columns("question", "answer", response_column="reply")


@pytest.mark.parametrize(
    ("row", "said", "learnt_from"),
    [
        ({"prompt": "q", "completion": "a"}, [USER, ASSISTANT], 1),
        ({"prompt": [USER], "completion": [ASSISTANT]}, [USER, ASSISTANT], 1),
        ({"messages": [USER, ASSISTANT]}, [USER, ASSISTANT], 0),
        ({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}, [USER, ASSISTANT], 0),
        ({"instruction": "q", "context": " ", "response": "a"}, [USER, ASSISTANT], 1),
        (
            {"instruction": "q", "input": "more", "output": "a"},
            [{"role": "user", "content": "q\n\nmore"}, ASSISTANT],
            1,
        ),
        (
            {"system": "s", "prompt": "q", "completion": "a"},
            [{"role": "system", "content": "s"}, USER, ASSISTANT],
            2,
        ),
        # Columnar files fill in what a message lacks with nulls.
        ({"messages": [{**USER, "tool_calls": None}, ASSISTANT]}, [USER, ASSISTANT], 0),
    ],
)
def test_rows_of_every_kind_become_conversations(
    row: dict[str, Any], said: list[dict[str, str]], learnt_from: int
) -> None:
    example = read(row)
    assert (list(example.messages), example.learnt_from) == (said, learnt_from)


def test_a_number_is_an_answer() -> None:
    assert read({"question": "1 + 1?", "answer": 2}).messages[-1]["content"] == "2"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"prompt": "q", "completion": None}, "column completion is empty"),
        ({"prompt": " ", "completion": "a"}, "column prompt is empty"),
        ({"text": ""}, "column text is empty"),
        ({"messages": []}, "column messages is empty"),
        ({"messages": "hello"}, "not a list of messages"),
        ({"messages": [USER]}, "no message with the role assistant"),
        ({"messages": [{"role": "user"}]}, "a message without content"),
        ({"messages": ["hello"]}, "holds str where a message was expected"),
        ({"prompt": "q", "completion": {"a": 1}}, "holds dict where text was expected"),
        ({"prompt": [ASSISTANT], "completion": [USER]}, "no message with the role assistant"),
    ],
)
def test_a_row_with_nothing_to_learn_has_the_cause(row: dict[str, Any], why: str) -> None:
    with pytest.raises(RowUnusable, match=why):
        read(row)
