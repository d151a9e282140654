"""Tokenises examples and marks the tokens that are learnt: the assistant's turns with the token that ends them.

Not left to trl, which masks prompts only if the chat template has markers for it, which most templates lack, and does
not report truncated rows. Here a turn's tokens are the difference between rendering the template with and without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from api.pods.training_rows import Example, Message, RowUnusable

NOT_LEARNT = -100
"""The label that torch's cross entropy ignores."""
Learn = Literal["answers", "everything"]


class Tokenizer(Protocol):
    """The part of transformers' tokenizer interface that is used."""

    chat_template: str | None
    eos_token_id: int | None

    def apply_chat_template(self, conversation: list[Message], **options: Any) -> Any: ...
    def encode(self, text: str, **options: Any) -> list[int]: ...


@dataclass(frozen=True)
class Tokens:
    """A row as the model sees it."""

    ids: list[int]
    labels: list[int]


class Tokenizing:
    """Tokenises examples with one tokenizer and one rule for what is learnt."""

    def __init__(self, tokenizer: Tokenizer, learn: Learn, stops: Sequence[int]) -> None:
        """`stops`: tokens that end an answer, the tokenizer's own first."""
        self._tokenizer, self._learn, self._stops = tokenizer, learn, list(stops)

    def tokens(self, example: Example) -> Tokens:
        """Raises RowUnusable if the template rejects the row or none of its tokens is learnt."""
        if not example.messages:
            ids = self._ended(self._tokenizer.encode(example.text))
            return Tokens(ids, list(ids))
        if not self._tokenizer.chat_template:
            return self._plain(example)
        return self._rendered(example)

    def _rendered(self, example: Example) -> Tokens:
        messages = list(example.messages)
        ids = self._render(messages, example.tools)
        labels = [NOT_LEARNT] * len(ids)
        turns = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
        turns = [at for at in turns if at >= example.learnt_from]
        ends = 0
        for at in turns:
            begins = _common(ids, self._render(messages[:at], example.tools, asks=True)) if at else 0
            ends = (
                len(ids) if at == len(messages) - 1 else _common(ids, self._render(messages[: at + 1], example.tools))
            )
            labels[begins:ends] = ids[begins:ends]
        if turns[-1] == len(messages) - 1 and not self._stops_within(labels[-4:]):
            ids, labels = [*ids, *self._stops[:1]], [*labels, *self._stops[:1]]
        if self._learn == "everything":
            labels = list(ids)
        if all(label == NOT_LEARNT for label in labels):
            raise RowUnusable("the chat template renders nothing for the assistant's messages")
        return Tokens(ids, labels)

    def _plain(self, example: Example) -> Tokens:
        """Tokenises without a template: concatenates the messages' texts, as trl does with pairs of texts."""
        ids: list[int] = []
        labels: list[int] = []
        for at, message in enumerate(example.messages):
            answer = message["role"] == "assistant" and at >= example.learnt_from
            gap = "" if at == 0 or answer else "\n"
            part = self._tokenizer.encode(f"{gap}{message['content']}", add_special_tokens=at == 0)
            part = self._ended(part) if answer else part
            ids += part
            labels += part if answer or self._learn == "everything" else [NOT_LEARNT] * len(part)
        return Tokens(ids, labels)

    def _render(self, messages: list[Message], tools: Any, *, asks: bool = False) -> list[int]:
        options = {"add_generation_prompt": asks, "tokenize": True, "return_dict": True}
        if tools:
            options["tools"] = tools
        try:
            return list(self._tokenizer.apply_chat_template(messages, **options)["input_ids"])
        except Exception as error:  # a template is a program and may raise anything
            raise RowUnusable(f"the chat template refuses it: {error}") from error

    def _ended(self, ids: list[int]) -> list[int]:
        return ids if not self._stops or ids[-1:] == self._stops[:1] else [*ids, self._stops[0]]

    def _stops_within(self, labels: list[int]) -> bool:
        return not self._stops or any(label in self._stops for label in labels)


def fitted(tokens: Tokens, longest: int, *, keep_end: bool = False) -> Tokens | None:
    """Truncates the row to `longest` tokens; returns None if no learnt token is left."""
    if len(tokens.ids) <= longest:
        return tokens
    part = slice(-longest, None) if keep_end else slice(None, longest)
    cut = Tokens(tokens.ids[part], tokens.labels[part])
    return cut if any(label != NOT_LEARNT for label in cut.labels) else None


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """Returns the length of the common prefix."""
    return next((at for at, (one, other) in enumerate(zip(first, second, strict=False)) if one != other),
                min(len(first), len(second)))  # fmt: skip
