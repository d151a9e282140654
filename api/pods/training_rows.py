"""What a row of training data means: which columns hold the conversation, the pair or the text, and how one row reads.

Column names are KAITO's (`context_column`, `response_column`, `messages_column`), trl's and those of common datasets.
Pure, and standard library only: the same code reads a row before a GPU is bought and in the training pod. Values and
messages are left to `training_values.py` and `training_messages.py`, tokens to `runtime.tune`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, Protocol

from api.pods.training_messages import Message as Message
from api.pods.training_messages import history_of, is_learnt, messages_of, tools_of
from api.pods.training_values import RowUnusable as RowUnusable
from api.pods.training_values import cell, is_false, listed, text_of

FORMATS: Final = (".parquet", ".jsonl", ".json", ".csv", ".arrow")
"""File name endings that are data."""

_MESSAGES: Final = ("messages", "conversations", "conversation", "chat")
_PROMPTS: Final = ("prompt", "instruction", "question", "query", "problem")
_CONTEXTS: Final = ("context", "input")
_ANSWERS: Final = ("completion", "response", "output", "answer", "solution")
_TEXTS: Final = ("text", "content")
_SYSTEMS: Final = ("system", "system_prompt")
_TOOLS: Final = ("tools",)
_HISTORIES: Final = ("history",)
_LABELS: Final = ("label", "kto_tag")
"""Of data for KTO, as trl and LLaMA-Factory name it: false marks the answer as a bad one."""
_KNOWN: Final = frozenset((*_MESSAGES, *_PROMPTS, *_CONTEXTS, *_ANSWERS, *_TEXTS, *_SYSTEMS, *_TOOLS))
_BESIDE: Final = frozenset((*_HISTORIES, *_LABELS))
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


@dataclass(frozen=True)
class Columns:
    """Which column means what. `prompt` and `answer` belong to pairs; `context`, `system` and `history` may be added to
    them."""

    shape: Shape
    messages: str = ""
    prompt: str = ""
    answer: str = ""
    text: str = ""
    context: str = ""
    system: str = ""
    tools: str = ""
    history: str = ""
    label: str = ""


@dataclass(frozen=True)
class Example:
    """One row, read: a conversation, or one text. Assistant turns from the message `learnt_from` on are learnt, but
    for those that their writer has marked: `unlearnt`."""

    messages: tuple[Message, ...] = ()
    learnt_from: int = 0
    text: str = ""
    tools: list[dict[str, Any]] | None = None
    unlearnt: frozenset[int] = frozenset()

    def learns(self, at: int) -> bool:
        """Returns whether the message of this number is learnt, if it is the assistant's."""
        return at >= self.learnt_from and at not in self.unlearnt


def columns_of(names: Collection[str], chosen: ColumnChoice) -> Columns:
    """What the columns mean. Raises ColumnsUnknown, also when a column that the user named is not there."""
    for name in (chosen.messages_column, chosen.context_column, chosen.response_column):
        if name and name not in names:
            raise ColumnsUnknown(f"there is no column {name!r}; the columns are {listed(names)}")
    messages = chosen.messages_column or ("" if chosen.response_column else _first(names, _MESSAGES))
    if messages:
        return with_later(Columns(Shape.MESSAGES, messages=messages), names, chosen)
    prompt, answer = _pair(names, chosen)
    if prompt and answer:
        return with_later(Columns(Shape.PAIR, prompt=prompt, answer=answer), names, chosen)
    text = chosen.response_column or _first(names, _TEXTS)
    if text and not chosen.context_column:
        return Columns(Shape.TEXT, text=text)
    raise ColumnsUnknown(
        f"none of the columns {listed(names)} is known; use {ACCEPTED}, or name yours in DatasetConfig"
    )


def with_later(columns: Columns, names: Collection[str], chosen: ColumnChoice) -> Columns:
    """The same with those columns that a row may lack: the later rows of a file may be the first to have them."""
    if columns.shape is Shape.TEXT:
        return columns
    others = [name for name in names if name not in (columns.prompt, columns.answer)]
    found = replace(
        columns,
        system=columns.system or _first(names, _SYSTEMS),
        tools=columns.tools or _first(names, _TOOLS),
        label=columns.label or _first(others, _LABELS),
    )
    if columns.shape is Shape.MESSAGES:
        return found
    context = columns.context or ("" if chosen.context_column else _first(others, _CONTEXTS))
    return replace(found, context=context, history=columns.history or _first(others, _HISTORIES))


def is_known(name: str, chosen: ColumnChoice) -> bool:
    """Whether a column of this name may be learnt from."""
    return name.lower() in _KNOWN or name in (chosen.messages_column, chosen.context_column, chosen.response_column)


def is_read(name: str, chosen: ColumnChoice) -> bool:
    """Whether a column of this name may say what is learnt; all others need not be read."""
    return is_known(name, chosen) or name.lower() in _BESIDE


def example_of(row: Mapping[str, Any], columns: Columns) -> Example:
    """The row, read. Raises RowUnusable when it is empty or has nothing to learn."""
    if columns.shape is Shape.TEXT:
        return Example(text=_text(cell(row, columns.text), columns.text))
    _check_label(cell(row, columns.label), columns.label)
    if columns.shape is Shape.MESSAGES:
        messages = messages_of(cell(row, columns.messages), columns.messages)
        return _conversation(_with_system(messages, row, columns), 0, row, columns)
    answer = cell(row, columns.answer)
    prompt = _prompt(row, columns)
    reply = messages_of(answer, columns.answer) if _is_chat(answer) else [_assistant(_text(answer, columns.answer))]
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


def _check_label(value: Any, column: str) -> None:
    """Raises RowUnusable for a label of false. A number means the same, as in trl; a file of csv has the words."""
    if is_false(value):
        raise RowUnusable(
            f"column {column} is {text_of(value, column).strip()}, which marks the answer as a bad one, and only good "
            "ones are learnt; if it means something else, remove the column or give it another name"
        )


def _prompt(row: Mapping[str, Any], columns: Columns) -> list[Message]:
    prompt = cell(row, columns.prompt)
    context = _context(cell(row, columns.context), columns.context)
    if not _is_chat(prompt):
        asked = [{"role": "user", "content": _text(prompt, columns.prompt)}]
    else:
        asked = messages_of(prompt, columns.prompt)
    if not asked:
        raise RowUnusable(f"column {columns.prompt} is empty")
    if context.strip():
        asked[-1] = asked[-1] | {"content": f"{asked[-1]['content']}\n\n{context}"}
    return [*history_of(cell(row, columns.history), columns.history), *asked]


def _context(value: Any, column: str) -> str:
    """The text of a context; of a list of texts all, as paragraphs."""
    if isinstance(value, list | tuple):
        return "\n\n".join(text for text in (text_of(one, column) for one in value) if text.strip())
    return text_of(value, column)


def _conversation(messages: list[Message], learnt_from: int, row: Mapping[str, Any], columns: Columns) -> Example:
    answers = {at for at, one in enumerate(messages) if one["role"] == "assistant" and at >= learnt_from}
    if not answers:
        raise RowUnusable("it has no message with the role assistant")
    unlearnt = frozenset(at for at in answers if not is_learnt(messages[at]))
    if unlearnt == answers:
        raise RowUnusable("each message of the assistant is marked as not to be learnt, by weight or train")
    tools = tools_of(cell(row, columns.tools), columns.tools)
    return Example(tuple(messages), learnt_from, tools=tools, unlearnt=unlearnt)


def _with_system(messages: list[Message], row: Mapping[str, Any], columns: Columns) -> list[Message]:
    system = text_of(cell(row, columns.system), columns.system)
    if system.strip() and not (messages and messages[0]["role"] == "system"):
        return [{"role": "system", "content": system}, *messages]
    return messages


def _assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


def _is_chat(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _text(value: Any, column: str) -> str:
    text = text_of(value, column)
    if not text.strip():
        raise RowUnusable(f"column {column} is empty")
    return text


def _first(names: Collection[str], known: Collection[str]) -> str:
    """The first known name that is there, in the order of preference; upper and lower case are the same."""
    lower = {name.lower(): name for name in reversed([*names])} | {name: name for name in names}
    return next((lower[name] for name in known if name in lower), "")
