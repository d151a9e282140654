"""Errors in a ConfigMap's content: path, message and line."""

from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from typing import Final

Problem = tuple[str, str]
"""(path such as `vllm.max-model-len`, sentence); the path is empty for the file as a whole."""

REPORTED_MAX: Final = 20
"""Errors reported at once. Finding the nearest name costs up to a millisecond each, and files may hold thousands."""


class ConfigProblem(ValueError):
    """The content cannot be used; `errors` lists every (path, message)."""

    def __init__(self, errors: Sequence[Problem]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(f"{path}: {message}" if path else message for path, message in self.errors))


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns `; did you mean 'x'?` with the most similar known name, in whatever case, or an empty string."""
    names = {one.lower(): one for one in known}
    close = get_close_matches(name[:64].lower(), list(names), n=1, cutoff=0.7)
    return f"; did you mean {names[close[0]]!r}?" if close else ""


def without_effect(keys: Collection[str], known: Iterable[str]) -> list[Problem]:
    """A warning for each of these unknown keys, the first REPORTED_MAX of them with the nearest known name."""
    names = list(known)
    reported = list(keys)[:REPORTED_MAX]
    warnings = [(key, f"is not a known key and has no effect{nearest(key, names)}") for key in reported]
    more = len(keys) - len(reported)
    return [*warnings, ("", f"{more} more keys are not known and have no effect")] if more else warnings


def shown(value: object) -> str:
    """The value for a message, shortened: users paste whole templates and tokens into wrong places."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
