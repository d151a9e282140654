"""What columns mean, and how a row reads."""

import json
import math
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from api.configs.training_sections import DatasetConfig
from api.pods.training_rows import Columns, ColumnsUnknown, Example, RowUnusable, Shape, columns_of, example_of

USER, ASSISTANT = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}


IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def calling(arguments: Any, **more: Any) -> dict[str, Any]:
    """A turn that is a call of a tool, with arguments as their writer has them."""
    call = {"type": "function", "function": {"name": "weather", "arguments": arguments}, **more}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


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


def test_blanks_around_a_column_are_seen_in_the_message() -> None:
    with pytest.raises(ColumnsUnknown, match=r"none of the columns ' completion', prompt is known"):
        columns("prompt", " completion")


def test_of_preferences_the_good_answer_is_learnt_once_it_is_named() -> None:
    row = {"prompt": "q", "chosen": "a", "rejected": "b"}
    with pytest.raises(ColumnsUnknown, match="none of the columns chosen, prompt, rejected is known"):
        read(row)
    assert read(row, response_column="chosen").messages == (USER, ASSISTANT)
    whole = {"chosen": [USER, ASSISTANT], "rejected": [USER, {**ASSISTANT, "content": "b"}]}
    assert read(whole, messages_column="chosen").messages == (USER, ASSISTANT)


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


@pytest.mark.parametrize(
    ("value", "text"), [(2, "2"), (0, "0"), (2.5, "2.5"), (True, "true"), (Decimal("1.50"), "1.50")]
)
def test_a_number_or_a_boolean_is_text_wherever_text_is_meant(value: Any, text: str) -> None:
    row = {"question": value, "input": value, "answer": value, "system": value}
    assert [message["content"] for message in read(row).messages] == [text, f"{text}\n\n{text}", text]
    assert read({"messages": [{**USER, "content": value}, ASSISTANT]}).messages[0]["content"] == text
    assert read({"text": value}).text == text


def test_parts_of_text_are_joined() -> None:
    parts = [{"type": "text", "text": "It ", "image_url": None}, {"type": "text", "text": "rains."}]
    example = read({"messages": [{**USER, "content": parts}, {**ASSISTANT, "content": parts[:1]}]})
    assert [message["content"] for message in example.messages] == ["It rains.", "It "]


@pytest.mark.parametrize("arguments", [{"city": "Ulm"}, '{"city": "Ulm"}', {"city": "Ulm", "zip": None}])
def test_the_arguments_of_a_call_are_a_mapping_however_they_are_written(arguments: Any) -> None:
    (call,) = read({"messages": [USER, calling(arguments, id=None)]}).messages[1]["tool_calls"]
    assert call == {"type": "function", "function": {"name": "weather", "arguments": {"city": "Ulm"}}}


@pytest.mark.parametrize("arguments", [None, "", "{}", {}, {"city": None}])
def test_a_call_without_arguments_has_an_empty_mapping_of_them(arguments: Any) -> None:
    message = read({"messages": [USER, calling(arguments)]}).messages[1]
    assert message["content"] == "" and message["tool_calls"][0]["function"]["arguments"] == {}


@pytest.mark.parametrize(
    "turn",
    [
        {"role": "assistant", "tool_calls": [{"name": "weather", "arguments": {"city": "Ulm"}}]},
        {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": '{"city": "Ulm"}'}},
        {"from": "function_call", "value": '{"name": "weather", "arguments": {"city": "Ulm"}}'},
        {"role": "assistant", "tool_calls": json.dumps([{"name": "weather", "arguments": {"city": "Ulm"}}])},
    ],
    ids=["flat", "older", "ShareGPT", "text"],
)
def test_other_forms_of_a_call_are_the_same_call(turn: dict[str, Any]) -> None:
    message = read({"messages": [USER, turn, {"from": "observation", "value": "rain"}, ASSISTANT]}).messages[1]
    call = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Ulm"}}}
    assert message == {"role": "assistant", "content": "", "tool_calls": [call]}


@pytest.mark.parametrize("tools", [[TOOL], TOOL, json.dumps([TOOL]), json.dumps(TOOL), [json.dumps(TOOL)]])
def test_tools_are_a_list_of_mappings_however_they_are_written(tools: Any) -> None:
    assert read({"messages": [USER, ASSISTANT], "tools": tools}).tools == [TOOL]


@pytest.mark.parametrize("tools", [None, [], "", "[]", "null"])
def test_no_tools_are_none(tools: Any) -> None:
    assert read({"messages": [USER, ASSISTANT], "tools": tools}).tools is None


def test_nulls_that_a_file_of_columns_fills_in_are_left_out_at_every_depth() -> None:
    filled = {"type": {"of": None}, "enum": None}
    parameters = {"type": "object", "properties": {"city": {"type": "string"}, "zip": filled}, "required": ["city"]}
    tool = {"type": "function", "function": {"name": "weather", "parameters": parameters, "strict": None}}
    empty: dict[str, Any] = {**ASSISTANT, "tool_calls": [], "name": None}
    example = read({"messages": [{**USER, "tool_calls": None}, empty], "tools": [tool]})
    assert example.messages == (USER, ASSISTANT)
    kept = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    assert example.tools == [{"type": "function", "function": {"name": "weather", "parameters": kept}}]


def test_a_null_in_json_text_was_written_by_somebody_and_stays() -> None:
    (call,) = read({"messages": [USER, calling('{"city": null}')]}).messages[1]["tool_calls"]
    assert call["function"]["arguments"] == {"city": None}


def test_an_empty_message_of_the_system_says_nothing_and_costs_no_row() -> None:
    assert read({"messages": [{"role": "system", "content": ""}, USER, ASSISTANT]}).messages == (USER, ASSISTANT)


def test_messages_may_be_json_text() -> None:
    assert read({"messages": json.dumps([USER, ASSISTANT])}).messages == (USER, ASSISTANT)


BEFORE = [{"role": "user", "content": "q0"}, {"role": "assistant", "content": "a0"}]


@pytest.mark.parametrize("history", [[["q0", "a0"]], '[["q0", "a0"]]', BEFORE, json.dumps(BEFORE)])
def test_turns_before_a_question_are_part_of_it_and_not_learnt(history: Any) -> None:
    example = read({"instruction": "q", "input": "more", "output": "a", "history": history, "system": "s"})
    system = {"role": "system", "content": "s"}
    assert list(example.messages) == [system, *BEFORE, {"role": "user", "content": "q\n\nmore"}, ASSISTANT]
    assert example.learnt_from == 4


@pytest.mark.parametrize("history", [None, [], "", "[]", "of the town", 7])
def test_a_history_without_turns_adds_none(history: Any) -> None:
    assert read({"instruction": "q", "output": "a", "history": history}).messages == (USER, ASSISTANT)


@pytest.mark.parametrize("label", [True, "True", None, "", 1, "1", "0.5", "spam", "falsetto", [0], {}])
def test_an_answer_that_no_label_calls_bad_is_learnt(label: Any) -> None:
    assert read({"prompt": "q", "completion": "a", "label": label}).messages == (USER, ASSISTANT)


def test_a_label_that_is_the_answer_or_the_class_of_a_text_calls_nothing_bad() -> None:
    answer = read({"prompt": "q", "label": False}, response_column="label")
    assert answer.messages[-1]["content"] == "false"
    assert read({"text": "a", "label": False}).text == "a"


def test_a_column_in_its_common_case_is_preferred_to_another() -> None:
    assert read({"Output": "b", "prompt": "q", "output": "a"}).messages[-1] == ASSISTANT


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
        ({"prompt": "q", "completion": {"a": 1}}, "holds a map where text was expected; a row is one object"),
        ({"prompt": [ASSISTANT], "completion": [USER]}, "no message with the role assistant"),
        (
            {"messages": [USER, {**ASSISTANT, "content": ""}, USER, ASSISTANT]},
            "a message without content, of assistant",
        ),
        ({"prompt": [{"role": "system", "content": ""}], "completion": "a"}, "column prompt is empty"),
        ({"messages": [{"role": "system", "content": ""}]}, "no message with the role assistant"),
        ({"messages": [{**USER, "content": [IMAGE]}, ASSISTANT]}, "a part of type image_url, and only text is learnt"),
        ({"messages": [USER, calling("[1]")]}, "the arguments of the call of weather are no JSON object"),
        ({"messages": [USER, calling("{city")]}, "the arguments of the call of weather are no valid JSON"),
        ({"messages": [USER, {"role": "assistant", "tool_calls": [{"id": "1"}]}]}, "a tool call without a name"),
        ({"messages": [USER, ASSISTANT], "tools": "[{"}, "the tools are text that is no valid JSON"),
        ({"messages": [USER, ASSISTANT], "tools": 7}, "holds int where a list of tools was expected"),
        ({"messages": [USER, ASSISTANT], "tools": [7]}, "holds a tool that is no object"),
        ({"messages": [USER, calling({"on": date(2024, 1, 2)})]}, "holds date, which JSON cannot write"),
        ({"prompt": "q", "context": {"a": 1}, "completion": "a"}, "column context holds a map where text was expected"),
        ({"prompt": "q", "completion": math.inf}, "holds a number that is not finite"),
        ({"prompt": "q", "completion": math.nan}, "column completion is empty"),
        ({"prompt": "q", "completion": b"a"}, "holds bytes where text was expected"),
        ({"prompt": "q", "completion": "a", "label": False}, "column label is false, which marks the answer as a bad"),
        ({"prompt": [USER], "completion": [ASSISTANT], "Label": "False"}, "column Label is False"),
        ({"messages": [USER, ASSISTANT], "label": False}, "column label is false"),
        ({"conversations": [USER, ASSISTANT], "kto_tag": " FALSE "}, "column kto_tag is FALSE"),
        (
            {"messages": [USER, {**ASSISTANT, "weight": 0}]},
            "each message of the assistant is marked as not to be learnt",
        ),
        ({"prompt": "q", "completion": [{**ASSISTANT, "train": False}]}, "marked as not to be learnt"),
        (
            {"question": "q", "answer": "a", "history": [["q0"]]},
            "column history holds list where a message was expected",
        ),
        (
            {"question": "q", "answer": "a", "history": [["q0", {}]]},
            "column history holds a map where text was expected",
        ),
        ({"question": "q", "answer": "a", "label": 0}, "column label is 0, which marks"),
        ({"question": "q", "answer": "a", "label": 0.0}, "column label is 0.0, which marks"),
        ({"question": "q", "answer": "a", "label": "0"}, "column label is 0, which marks"),
    ],
)
def test_a_row_with_nothing_to_learn_has_the_cause(row: dict[str, Any], why: str) -> None:
    with pytest.raises(RowUnusable, match=why):
        read(row)
