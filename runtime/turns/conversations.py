"""Reads conversations with one chat template, in the form in which it shows the most of them.

Templates differ in what they take of a tool call: a message with a call and an empty text, or with none; arguments as a
map, or as JSON text. The form that shows every call is used, and the next row begins with the form that did. Thoughts
are given under the key that the template reads.
"""

import copy
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from api.pods.training_messages import THOUGHTS, Message
from api.pods.training_rows import Example, RowUnusable
from runtime.turns.marks import Kind, calls_of
from runtime.turns.places import Render
from runtime.turns.spans import ANY_QUESTION, Conversation, conversation_of

Form = Callable[[Sequence[Message]], Sequence[Message]]
NOTHING_LEARNT: Final = "the chat template renders nothing for the assistant's messages"


class Conversations:
    """Reads rows of messages with one template."""

    def __init__(self, render: Render, tokens: Collection[str]) -> None:
        """`tokens`: texts that are one token for the model's tokenizer."""
        self._render, self._tokens = render, tokens
        self._forms: list[Form] = [_as_it_is, _no_text, _arguments_as_text, _no_text_and_arguments_as_text]
        self._keys = dict[str, str]()

    def read(self, example: Example) -> Conversation:
        """Raises RowUnusable if the template refuses the row or shows nothing of what the assistant says in it."""
        found = self._best(example)
        if not found.turns:
            raise RowUnusable(NOTHING_LEARNT)
        return found

    def _best(self, example: Example) -> Conversation:
        best: Conversation | None = None
        problem: RowUnusable | None = None
        messages = [self._with_thoughts(message) for message in example.messages]
        has_calls = any(calls_of(message) for message in messages)
        for form in list(self._forms) if has_calls else [_as_it_is]:
            try:
                found = conversation_of(self._render, form(messages), example.tools, example.learns, self._tokens)
            except RowUnusable as error:
                problem = problem or error
                continue
            if not any(part.kind is Kind.CALL for part in found.lost):
                if has_calls:
                    self._forms.sort(key=lambda one: one is not form)
                return found
            best = best or found
        if best is None:
            raise problem or RowUnusable(NOTHING_LEARNT)
        return best

    def _with_thoughts(self, message: Message) -> Message:
        """Returns the message with its thoughts under the key that the template reads."""
        keys = [key for key in THOUGHTS if isinstance(message.get(key), str)]
        if message["role"] != "assistant" or len(keys) != 1:
            return message
        key = keys[0]
        if key not in self._keys:
            self._keys[key] = next((other for other in (key, *THOUGHTS) if self._shows_thoughts(other)), key)
        return {self._keys[key] if name == key else name: value for name, value in message.items()}

    def _shows_thoughts(self, key: str) -> bool:
        messages = [*ANY_QUESTION, {"role": "assistant", "content": "yes", key: "because"}]
        try:
            return not conversation_of(self._render, messages, None, _every, self._tokens).lost
        except RowUnusable:
            return False


def _every(at: int) -> bool:
    return True


def _as_it_is(messages: Sequence[Message]) -> Sequence[Message]:
    return messages


def _no_text(messages: Sequence[Message]) -> Sequence[Message]:
    return [
        dict(message) | {"content": None} if calls_of(message) and not message.get("content") else message
        for message in messages
    ]


def _arguments_as_text(messages: Sequence[Message]) -> Sequence[Message]:
    return [
        dict(message) | {"tool_calls": [_with_text(call) for call in calls_of(message)]}
        if calls_of(message)
        else message
        for message in messages
    ]


def _no_text_and_arguments_as_text(messages: Sequence[Message]) -> Sequence[Message]:
    return _arguments_as_text(_no_text(messages))


def _with_text(call: Any) -> Any:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or isinstance(function.get("arguments"), str):
        return call
    text = json.dumps(copy.deepcopy(function.get("arguments", {})), ensure_ascii=False)
    return {"type": "function", **call, "function": {**function, "arguments": text}}
