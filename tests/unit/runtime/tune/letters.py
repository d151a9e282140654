"""A tokenizer of one token a character, and one for each text that is never divided, with a template for chats."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from runtime.turns.template import rendering

FIRST_SPECIAL = 0x110000
"""Above every character."""
END, BEGIN = "</s>", "<s>"


class Letters:
    """As much of transformers' tokenizers as a training uses. A slow one tells no places of tokens."""

    def __init__(
        self, template: str | None, tokens: Sequence[str] = (), *, is_fast: bool = True, begins: bool = False
    ) -> None:
        self.chat_template = template
        self._tokens = list(dict.fromkeys((END, BEGIN, *tokens)))
        self._pattern = re.compile("|".join(map(re.escape, sorted(self._tokens, key=len, reverse=True))) + "|.", re.S)
        self._is_fast, self._begins = is_fast, begins
        self._render = rendering(template or "", {"bos_token": BEGIN, "eos_token": END})

    @property
    def is_fast(self) -> bool:
        return self._is_fast

    @property
    def eos_token_id(self) -> int:
        return self.id_of(END)

    @property
    def bos_token_id(self) -> int | None:
        return self.id_of(BEGIN)

    @property
    def added_tokens_decoder(self) -> Mapping[int, str]:
        return {self.id_of(token): token for token in self._tokens}

    def id_of(self, piece: str) -> int:
        return FIRST_SPECIAL + self._tokens.index(piece) if piece in self._tokens else ord(piece)

    def text_of(self, ids: Sequence[int]) -> str:
        return "".join(self._tokens[one - FIRST_SPECIAL] if one >= FIRST_SPECIAL else chr(one) for one in ids)

    def __call__(self, text: str, **options: Any) -> dict[str, Any]:
        if options.get("return_offsets_mapping") and not self._is_fast:
            raise NotImplementedError("a slow tokenizer tells no places")
        pieces = list(self._pattern.finditer(text))
        begun = [self.id_of(BEGIN)] if self._begins and options.get("add_special_tokens", True) else []
        ids = begun + [self.id_of(piece[0]) for piece in pieces]
        return {"input_ids": ids, "offset_mapping": [(0, 0)] * len(begun) + [piece.span() for piece in pieces]}

    def encode(self, text: str, **options: Any) -> list[int]:
        return list(self(text, **options)["input_ids"])

    def apply_chat_template(self, conversation: list[dict[str, Any]], **options: Any) -> str:
        assert options["tokenize"] is False
        return self._render(conversation, options.get("tools"), options["add_generation_prompt"])
