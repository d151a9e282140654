"""What is learnt of a conversation without a chat template: its texts, one after the other."""

from dataclasses import dataclass
from typing import Final

from api.pods.training_rows import Example, RowUnusable
from runtime.turns.marks import Kind, Part, parts_of

NO_ANSWER: Final = "without a chat template nothing but texts is learnt, and the assistant's messages have none"


@dataclass(frozen=True)
class Piece:
    """One message's text. An answer is learnt, and ended."""

    text: str
    is_learnt: bool


def plain_conversation(example: Example) -> tuple[list[Piece], tuple[Part, ...]]:
    """Returns the texts, and the parts that are no text and are left out. Raises RowUnusable without an answer."""
    pieces = list[Piece]()
    for at, message in enumerate(example.messages):
        answer = message["role"] == "assistant" and example.learns(at)
        content = str(message.get("content") or "")
        if content or not answer:
            gap = "" if at == 0 or answer else "\n"
            pieces.append(Piece(f"{gap}{content}", answer))
    if not any(piece.is_learnt for piece in pieces):
        raise RowUnusable(NO_ANSWER)
    lost = [part for part in parts_of(example.messages) if part.field != "content"]
    lost = [part for part in lost if example.learns(part.message)]
    return pieces, (*lost, *([Part(0, Kind.TOOLS, "tools")] if example.tools else []))
