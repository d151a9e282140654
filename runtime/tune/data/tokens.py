"""What tokens an example becomes, and which of them are learnt: the assistant's turns with the token that ends them.

Done here and not by trl: trl masks prompts only where the chat template has markers for it, which most templates lack,
and says nothing of rows that are cut off. The way here asks the template itself: a turn is what is rendered more with
it than without.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from api.pods.training_rows import Example, Message, RowUnusable

NOT_LEARNT = -100
"""The label that torch's cross entropy leaves out."""
Learn = Literal["answers", "everything"]


class Tokenizer(Protocol):
    """What is used of a tokenizer of transformers."""

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
    """Turns examples into tokens, with one tokenizer and one rule of what is learnt."""

    def __init__(self, tokenizer: Tokenizer, learn: Learn, stops: Sequence[int]) -> None:
        """`stops`: tokens that end an answer, the tokenizer's own first."""
        self._tokenizer, self._learn, self._stops = tokenizer, learn, list(stops)

    def tokens(self, example: Example) -> Tokens:
        """Raises RowUnusable when the template refuses the row, or nothing of it is learnt."""
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
        """Without a template: the messages' texts one after the other, as trl does with pairs of texts."""
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
        except Exception as error:  # a template is a program, and may fail in any way
            raise RowUnusable(f"the chat template refuses it: {error}") from error

    def _ended(self, ids: list[int]) -> list[int]:
        return ids if not self._stops or ids[-1:] == self._stops[:1] else [*ids, self._stops[0]]

    def _stops_within(self, labels: list[int]) -> bool:
        return not self._stops or any(label in self._stops for label in labels)


def fitted(tokens: Tokens, longest: int, *, keep_end: bool = False) -> Tokens | None:
    """The row within so many tokens; None when nothing that is learnt is left of it."""
    if len(tokens.ids) <= longest:
        return tokens
    part = slice(-longest, None) if keep_end else slice(None, longest)
    cut = Tokens(tokens.ids[part], tokens.labels[part])
    return cut if any(label != NOT_LEARNT for label in cut.labels) else None


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens both begin with."""
    return next((at for at, (one, other) in enumerate(zip(first, second, strict=False)) if one != other),
                min(len(first), len(second)))  # fmt: skip
