"""Tokenises examples and marks the tokens that are learnt: the assistant's turns with the token that ends them.

Not left to trl, which masks prompts only if the chat template has markers for it, which most templates lack, and does
not report truncated rows. runtime/turns finds the turns in the rendered text; here they become tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from api.pods.training_rows import Example, Message, RowUnusable
from runtime.tune.data.offsets import TokenisedText
from runtime.turns.conversations import NOTHING_LEARNT, Conversations
from runtime.turns.marks import Part
from runtime.turns.plain import plain_conversation
from runtime.turns.template import refused

NOT_LEARNT = -100
"""The label that torch's cross entropy ignores."""
Learn = Literal["answers", "everything"]


class Tokenizer(Protocol):
    """The part of transformers' tokenizer interface that is used."""

    chat_template: Any

    @property
    def bos_token_id(self) -> int | None: ...
    @property
    def eos_token_id(self) -> int | None: ...
    @property
    def is_fast(self) -> bool: ...
    @property
    def added_tokens_decoder(self) -> Mapping[int, Any]: ...
    def __call__(self, text: str, **options: Any) -> Any: ...
    def apply_chat_template(self, conversation: list[Message], **options: Any) -> Any: ...
    def encode(self, text: str, **options: Any) -> list[int]: ...


@dataclass(frozen=True)
class Tokens:
    """A row as the model sees it, and the parts of it that the chat template does not render."""

    ids: list[int]
    labels: list[int]
    lost: tuple[Part, ...] = ()


class Tokenizing:
    """Tokenises examples with one tokenizer and one rule for what is learnt."""

    def __init__(self, tokenizer: Tokenizer, learn: Learn, stops: Sequence[int]) -> None:
        """`stops`: tokens that end an answer, the tokenizer's own first."""
        self._tokenizer, self._learn, self._stops = tokenizer, learn, list(stops)
        undivided = [str(token) for token in tokenizer.added_tokens_decoder.values()]
        self._conversations = Conversations(self._render, undivided)

    def tokens(self, example: Example) -> Tokens:
        """Raises RowUnusable if the template rejects the row or none of its tokens is learnt."""
        if not example.messages:
            ids = self._ended(self._begun_once(self._tokenizer.encode(example.text)))
            return Tokens(ids, list(ids))
        if not self._tokenizer.chat_template:
            return self._plain(example)
        return self._rendered(example)

    def _rendered(self, example: Example) -> Tokens:
        found = self._conversations.read(example)
        tokenised = TokenisedText(self._tokenizer, found.text)
        ids = tokenised.ids
        labels = [NOT_LEARNT] * len(ids)
        for turn in found.turns:
            part = tokenised.part(turn.begin, turn.end)
            labels[part] = ids[part]
        last = found.turns[-1]
        if last.end == len(found.text) and not self._stops_within(ids[tokenised.part(last.said, last.end)]):
            ids, labels = [*ids, *self._stops[:1]], [*labels, *self._stops[:1]]
        if self._learn == "everything":
            labels = list(ids)
        if all(label == NOT_LEARNT for label in labels):
            raise RowUnusable(NOTHING_LEARNT)
        return Tokens(ids, labels, found.lost)

    def _plain(self, example: Example) -> Tokens:
        """Tokenises without a template: concatenates the messages' texts, as trl does with pairs of texts."""
        pieces, lost = plain_conversation(example)
        ids: list[int] = []
        labels: list[int] = []
        for at, piece in enumerate(pieces):
            part = self._tokenizer.encode(piece.text, add_special_tokens=at == 0)
            part = self._begun_once(part) if at == 0 else part
            part = self._ended(part) if piece.is_learnt else part
            ids += part
            labels += part if piece.is_learnt or self._learn == "everything" else [NOT_LEARNT] * len(part)
        return Tokens(ids, labels, lost)

    def _render(self, messages: Sequence[Message], tools: Any, asks: bool) -> str:
        options = {"add_generation_prompt": asks, "tokenize": False} | ({"tools": tools} if tools else {})
        try:
            return str(self._tokenizer.apply_chat_template(list(messages), **options))
        except Exception as error:  # a template is a program and may raise anything
            raise refused(error) from error

    def _begun_once(self, ids: list[int]) -> list[int]:
        """Returns the tokens without the second of two tokens that begin a text: one was in the text itself."""
        begins = self._tokenizer.bos_token_id
        return ids[1:] if begins is not None and ids[:2] == [begins, begins] else ids

    def _ended(self, ids: list[int]) -> list[int]:
        return ids if not self._stops or ids[-1:] == self._stops[:1] else [*ids, self._stops[0]]

    def _stops_within(self, ids: Sequence[int]) -> bool:
        return not self._stops or any(token in self._stops for token in ids)


def fitted(tokens: Tokens, longest: int, *, keep_end: bool = False) -> Tokens | None:
    """Truncates the row to `longest` tokens; returns None if no learnt token is left."""
    if len(tokens.ids) <= longest:
        return tokens
    part = slice(-longest, None) if keep_end else slice(None, longest)
    cut = Tokens(tokens.ids[part], tokens.labels[part], tokens.lost)
    return cut if any(label != NOT_LEARNT for label in cut.labels) else None
