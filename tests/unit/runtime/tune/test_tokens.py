"""Which tokens are learnt: the assistant's turns with what ends them, and never the rest."""

from typing import Any

import pytest

from api.pods.training_rows import Example, RowUnusable
from runtime.tune.data.tokens import NOT_LEARNT, Learn, Tokenizing, Tokens, fitted

END = 0
Messages = tuple[dict[str, Any], ...]


class Letters:
    """A tokenizer of one token a character, with a template like ChatML's: `[role:text]`, `]` being the end."""

    eos_token_id: int | None = END

    def __init__(self, template: str | None = "chat", *, ends_turns: bool = True, forgets: bool = False) -> None:
        self.chat_template = template
        self._ends_turns, self._forgets = ends_turns, forgets

    def encode(self, text: str, **options: Any) -> list[int]:
        return [END if letter == "]" else ord(letter) for letter in text]

    def apply_chat_template(self, conversation: list[dict[str, Any]], **options: Any) -> dict[str, list[int]]:
        if any(message["role"] == "robot" for message in conversation):
            raise ValueError("no robots")
        text = "".join(self._turn(message, message is conversation[-1]) for message in conversation)
        return {"input_ids": self.encode(text + ("[assistant:" if options["add_generation_prompt"] else ""))}

    def _turn(self, message: dict[str, Any], is_last: bool) -> str:
        content = message["content"]
        if self._forgets and message["role"] == "assistant" and not is_last:
            content = content.replace("(thinks)", "")
        return f"[{message['role']}:{content}{']' if self._ends_turns else ''}\n"


def said(*turns: str) -> Messages:
    roles = ("user", "assistant")
    return tuple({"role": roles[at % 2], "content": turn} for at, turn in enumerate(turns))


def learnt(tokens: Tokens) -> str:
    assert len(tokens.ids) == len(tokens.labels)
    assert all(label in (NOT_LEARNT, token) for token, label in zip(tokens.ids, tokens.labels, strict=True))
    return "".join("]" if label == END else chr(label) for label in tokens.labels if label != NOT_LEARNT)


def tokens(messages: Messages, tokenizer: Letters | None = None, learn: Learn = "answers", **more: Any) -> Tokens:
    return Tokenizing(tokenizer or Letters(), learn, [END]).tokens(Example(messages, **more))


def test_answers_are_learnt_with_their_ends_and_questions_are_not() -> None:
    assert learnt(tokens(said("hi", "yes", "and?", "no"))) == "yes]\nno]\n"


def test_a_pairs_prompt_is_not_learnt_though_the_assistant_speaks_in_it() -> None:
    assert learnt(tokens(said("hi", "yes", "and?", "no"), learnt_from=3)) == "no]\n"


def test_a_template_that_ends_no_turns_gets_the_end_appended() -> None:
    assert learnt(tokens(said("hi", "yes"), Letters(ends_turns=False))) == "yes\n]"


def test_a_template_that_drops_earlier_reasoning_trains_on_what_it_renders() -> None:
    found = learnt(tokens(said("hi", "(thinks)yes", "and?", "(thinks)no"), Letters(forgets=True)))
    assert found.endswith("(thinks)no]\n") and "user" not in found and "and?" not in found


def test_everything_is_learnt_when_it_is_asked_for() -> None:
    assert learnt(tokens(said("hi", "yes"), learn="everything")) == "[user:hi]\n[assistant:yes]\n"


def test_without_a_template_a_pair_is_its_two_texts() -> None:
    found = tokens(said("2+2=", "4"), Letters(None), learnt_from=1)
    assert learnt(found) == "4]" and len(found.ids) == 6


def test_a_text_is_learnt_whole_and_ended_once() -> None:
    tokenizing = Tokenizing(Letters(), "answers", [END])
    assert learnt(tokenizing.tokens(Example(text="abc"))) == "abc]"
    assert learnt(tokenizing.tokens(Example(text="abc]"))) == "abc]"


def test_a_row_that_the_template_refuses_has_the_cause() -> None:
    with pytest.raises(RowUnusable, match="the chat template refuses it: no robots"):
        tokens(({"role": "robot", "content": "beep"}, {"role": "assistant", "content": "no"}))


@pytest.mark.parametrize(
    ("longest", "keep_end", "labels"),
    [
        (4, False, [NOT_LEARNT, NOT_LEARNT, 3, 4]),
        (3, False, [NOT_LEARNT, NOT_LEARNT, 3]),
        (2, False, None),
        (1, True, [4]),
    ],
)
def test_long_rows_lose_an_end_and_go_when_nothing_is_left_to_learn(
    longest: int, keep_end: bool, labels: list[int] | None
) -> None:
    fit = fitted(Tokens([1, 2, 3, 4], [NOT_LEARNT, NOT_LEARNT, 3, 4]), longest, keep_end=keep_end)
    assert (fit.labels if fit else None) == labels
