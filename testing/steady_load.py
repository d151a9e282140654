"""Asks something again and again while a test does something else, and counts what did not answer.

Each question is asked by a thread of its own, one at a time; what a failure is, its function decides by raising.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Count:
    """What became of one question. `failed` has the message of each failure."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)


@contextmanager
def steady_load(questions: Mapping[str, Callable[[], object]], pause_s: float) -> Iterator[dict[str, Count]]:
    """Asks all of them during the block, each again `pause_s` seconds after its answer; yields the counts by name."""
    counts = {name: Count() for name in questions}
    over = threading.Event()

    def ask(name: str) -> None:
        while not over.is_set():
            try:
                questions[name]()
            except Exception as error:  # counted, and judged by the test
                counts[name].failed.append(f"{type(error).__name__}: {error}")
            else:
                counts[name].answered += 1
            over.wait(pause_s)

    with ThreadPoolExecutor(len(questions)) as threads:
        asking = [threads.submit(ask, name) for name in questions]
        try:
            yield counts
        finally:
            over.set()
    for each in asking:
        each.result()
