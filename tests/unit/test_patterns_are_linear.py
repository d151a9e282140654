"""No text that a stranger may write holds a process up: every pattern takes time by the text's length, not its square.

`re` keeps Python's lock while it matches: behind one slow text everything in that process stands still.
"""

import ast
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import pytest

from activities.errors.azure_codes import _ROWS
from admin.webhook.admission_review import REVIEW_LIMITS
from runtime.turns.spans import MARKUP
from tests.unit.pattern_attacks import Found, attacks, patterns, product_files, variables

LONGEST: Final = REVIEW_LIMITS["CREATE"]
"""Characters of the longest text that anybody may bring: a whole review. ConfigMaps have a quarter of it."""
SECONDS: Final = 1.0
"""Of this process's own computing time, for one text. Linear ones take some milliseconds, and a square of LONGEST over
a minute."""
FOUND: Final = [
    *patterns(),
    *(Found("activities/errors/azure_codes.py", row.codes, ("fullmatch",)) for row in _ROWS),
    *(Found("activities/errors/azure_codes.py", row.words, ("search",)) for row in _ROWS if row.words),
    Found("runtime/turns/places.py", re.compile(r"stem(\d+)([be])"), ("sub", "finditer")),
    Found("runtime/turns/spans.py", re.compile(rf"<\|end\|>|{MARKUP}"), ("search", "match", "finditer")),
]
BOUNDED: Final = {
    "api/oci/docker_config_keys.py": 63,  # a part of a host's name: _LABEL_MAX, looked at first
    "presets/machines/gpu_labels.py": 63,  # a label's value, as API servers admit it
}
"""Characters of the longest text that the patterns of a file are asked about, where it is less."""
NOT_WRITTEN_DOWN: Final = {
    "activities/errors/azure_codes.py",  # a table beside it, which is added above
    "runtime/adapters/settings.py",  # an adapter's own patterns, which are compiled only and never matched
    "runtime/turns/places.py",  # a stem of its own for each text
    "runtime/turns/spans.py",  # the tokenizer's own tokens
    "runtime/tune/train/load_model.py",  # LoraConfig.target_modules, which peft reads so: the tenant's own training
}


class Slow(Exception):
    pass


@contextmanager
def limited() -> Iterator[None]:
    """Raises Slow after SECONDS of computing; `re` looks for signals while it matches."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Slow

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def ask(pattern: "re.Pattern[Any]", method: str, text: Any) -> None:
    with limited():
        if method in ("sub", "subn"):
            getattr(pattern, method)(text[:0], text)
        elif method == "finditer":
            for _ in pattern.finditer(text):
                pass
        else:
            getattr(pattern, method)(text)


def slow_texts(found: Found) -> Iterator[str]:
    for text in attacks(found.pattern, BOUNDED.get(found.place.partition(":")[0], LONGEST)):
        for method in found.methods:
            try:
                ask(found.pattern, method, text)
            except Slow:
                yield f"{method} of {text[:40]!r}...{text[-10:]!r}"
                return


@pytest.mark.parametrize("found", FOUND, ids=[found.place for found in FOUND])
def test_no_text_of_the_largest_length_holds_a_pattern_up(found: Found) -> None:
    assert list(slow_texts(found)) == [], f"{found.pattern.pattern} takes more than {SECONDS:g} s"


@pytest.mark.parametrize(
    ("text", "method"),
    [
        (r"[0-9]+\.?[0-9]*", "fullmatch"),
        (r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", "fullmatch"),
        (r"\[([^\]]*)\]", "findall"),
        (r"VM size .* is not", "search"),
        (r"([a-z]+)*", "fullmatch"),
        (r"\s+$", "search"),
    ],
)
def test_patterns_that_are_slow_are_found_out(text: str, method: str) -> None:
    assert list(slow_texts(Found("", re.compile(text), (method,))))


def test_every_pattern_is_written_where_it_is_used() -> None:
    assert len(FOUND) > 40
    assert variables() == NOT_WRITTEN_DOWN


def test_patterns_of_models_are_matched_by_an_engine_that_does_not_go_back() -> None:
    """pydantic's own, in Rust, and Go's in the API server; the other one of pydantic is Python's."""
    for file in product_files():
        for node in ast.walk(ast.parse(file.read_text())):
            assert not (isinstance(node, ast.keyword) and node.arg == "regex_engine"), file
