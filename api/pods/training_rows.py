"""What a row of training data means: which columns hold the conversation, the pair or the text, and how one row reads.

Column names are KAITO's (`context_column`, `response_column`, `messages_column`), trl's and those of common datasets.
Pure, and standard library only: the data is validated before a GPU is bought, and again in the training pod.
`runtime.tune` turns rows into tokens.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

Message = dict[str, Any]

FORMATS: Final[Mapping[str, str]] = {
    ".parquet": "parquet",
    ".jsonl": "json",
    ".json": "json",
    ".csv": "csv",
    ".arrow": "arrow",
}
"""File name endings that are data, and the loader that reads them."""

_MESSAGES: Final = ("messages", "conversations", "conversation", "chat")
_PROMPTS: Final = ("prompt", "instruction", "question", "query", "problem")
_CONTEXTS: Final = ("context", "input")
_ANSWERS: Final = ("completion", "response", "output", "answer", "solution")
_TEXTS: Final = ("text", "content")
_SYSTEMS: Final = ("system", "system_prompt")
_ROLES: Final = {"human": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant", "ai": "assistant"}
ACCEPTED: Final = (
    "messages; prompt and completion; instruction (with context or input) and response or output; question and answer; "
    "or text"
)


class Shape(StrEnum):
    """The kind of a file's rows."""

    MESSAGES = "messages"
    PAIR = "pair"
    TEXT = "text"


class ColumnChoice(Protocol):
    """The part of DatasetConfig that names columns."""

    @property
    def context_column(self) -> str | None: ...
    @property
    def response_column(self) -> str | None: ...
    @property
    def messages_column(self) -> str | None: ...


class ColumnsUnknown(ValueError):
    """No column is usable for training; the message names the columns found and those that are accepted."""


class RowUnusable(ValueError):
    """This row is not usable for training; the message has the reason."""


@dataclass(frozen=True)
class Columns:
    """Which column means what. `prompt` and `answer` belong to pairs; `context` and `system` may be added to them."""

    shape: Shape
    messages: str = ""
    prompt: str = ""
    answer: str = ""
    text: str = ""
    context: str = ""
    system: str = ""
    tools: str = ""


@dataclass(frozen=True)
class Example:
    """One row, read: a conversation, or one text. Assistant turns from the message `learnt_from` on are learnt."""

    messages: tuple[Message, ...] = ()
    learnt_from: int = 0
    text: str = ""
    tools: Any = None


def columns_of(names: Collection[str], chosen: ColumnChoice) -> Columns:
    """What the columns mean. Raises ColumnsUnknown, also when a column that the user named is not there."""
    for name in (chosen.messages_column, chosen.context_column, chosen.response_column):
        if name and name not in names:
            raise ColumnsUnknown(f"there is no column {name!r}; the columns are {_listed(names)}")
    system, tools = _first(names, _SYSTEMS), _first(names, ("tools",))
    messages = chosen.messages_column or ("" if chosen.response_column else _first(names, _MESSAGES))
    if messages:
        return Columns(Shape.MESSAGES, messages=messages, system=system, tools=tools)
    prompt, answer = _pair(names, chosen)
    if prompt and answer:
        others = [name for name in _CONTEXTS if name != prompt]
        context = "" if chosen.context_column else _first(names, others)
        return Columns(Shape.PAIR, prompt=prompt, answer=answer, context=context, system=system, tools=tools)
    text = chosen.response_column or _first(names, _TEXTS)
    if text and not chosen.context_column:
        return Columns(Shape.TEXT, text=text)
    raise ColumnsUnknown(
        f"none of the columns {_listed(names)} is known; use {ACCEPTED}, or name yours in DatasetConfig"
    )


def example_of(row: Mapping[str, Any], columns: Columns) -> Example:
    """The row, read. Raises RowUnusable when it is empty or has nothing to learn."""
    if columns.shape is Shape.TEXT:
        return Example(text=_text(row.get(columns.text), columns.text))
    if columns.shape is Shape.MESSAGES:
        messages = _messages(row.get(columns.messages), columns.messages)
        return _conversation(_with_system(messages, row, columns), 0, row, columns)
    answer = row.get(columns.answer)
    prompt = _prompt(row, columns)
    reply = _messages(answer, columns.answer) if _is_chat(answer) else [_assistant(_text(answer, columns.answer))]
    before = _with_system(prompt, row, columns)
    return _conversation([*before, *reply], len(before), row, columns)


def _pair(names: Collection[str], chosen: ColumnChoice) -> tuple[str, str]:
    answer = chosen.response_column or _first(names, _ANSWERS)
    if chosen.response_column and not chosen.context_column and chosen.response_column in _TEXTS:
        return "", ""
    prompt = chosen.context_column or _first(names, _PROMPTS)
    if not prompt and "input" in names and answer != "input":
        prompt = "input"
    return prompt, answer


def _prompt(row: Mapping[str, Any], columns: Columns) -> list[Message]:
    prompt = row.get(columns.prompt)
    if _is_chat(prompt):
        return _messages(prompt, columns.prompt)
    text = _text(prompt, columns.prompt)
    context = row.get(columns.context) if columns.context else None
    if isinstance(context, str) and context.strip():
        text = f"{text}\n\n{context}"
    return [{"role": "user", "content": text}]


def _conversation(messages: list[Message], learnt_from: int, row: Mapping[str, Any], columns: Columns) -> Example:
    if not any(message["role"] == "assistant" for message in messages[learnt_from:]):
        raise RowUnusable("it has no message with the role assistant")
    tools = row.get(columns.tools) if columns.tools else None
    return Example(tuple(messages), learnt_from, tools=tools or None)


def _messages(value: Any, column: str) -> list[Message]:
    if not isinstance(value, list | tuple) or not value:
        raise RowUnusable(f"column {column} is {'empty' if not value else 'not a list of messages'}")
    return [_message(entry, column) for entry in value]


def _message(entry: Any, column: str) -> Message:
    """A message as {role, content, ...}; the older {from, value} is understood."""
    if not isinstance(entry, Mapping):
        raise RowUnusable(f"column {column} holds {type(entry).__name__} where a message was expected")
    # Files with columns fill in what a message lacks with nulls; templates take a null for something.
    fields = {key: value for key, value in entry.items() if value is not None}
    role = fields.pop("role", None) or fields.pop("from", None)
    content = fields.pop("content", None) or fields.pop("value", None) or ""
    fields.pop("from", None), fields.pop("value", None)
    if not isinstance(role, str) or not (content or fields):
        raise RowUnusable(f"column {column} holds a message without {'content' if role else 'role'}")
    return {"role": _ROLES.get(role, role), "content": content, **fields}


def _with_system(messages: list[Message], row: Mapping[str, Any], columns: Columns) -> list[Message]:
    system = row.get(columns.system) if columns.system else None
    if isinstance(system, str) and system.strip() and messages[0]["role"] != "system":
        return [{"role": "system", "content": system}, *messages]
    return messages


def _assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


def _is_chat(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _text(value: Any, column: str) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise RowUnusable(f"column {column} is empty")
    if isinstance(value, bool | int | float):
        return str(value)
    if not isinstance(value, str):
        raise RowUnusable(f"column {column} holds {type(value).__name__} where text was expected")
    return value


def _first(names: Collection[str], known: Collection[str]) -> str:
    """The first known name that is there, in the order of preference; upper and lower case are the same."""
    lower = {name.lower(): name for name in names}
    return next((lower[name] for name in known if name in lower), "")


def _listed(names: Collection[str]) -> str:
    shown = sorted(names)
    return ", ".join(shown[:20]) + (f" and {len(shown) - 20} more" if len(shown) > 20 else "") or "no columns at all"
