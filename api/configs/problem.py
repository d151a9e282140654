"""What is wrong with a ConfigMap's content, as its author needs it: the path, the sentence, the line."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

Problem = tuple[str, str]
"""(path such as `vllm.max-model-len`, sentence); the path is empty for the file as a whole."""


class ConfigProblem(ValueError):
    """The content cannot be used; `errors` lists every (path, message)."""

    def __init__(self, errors: Sequence[Problem]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(f"{path}: {message}" if path else message for path, message in self.errors))


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` with the known name that looks most like this one, or nothing."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f"; did you mean {close[0]!r}?" if close else ""


def shown(value: object) -> str:
    """The value for a message, shortened: users paste whole templates and tokens into wrong places."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
