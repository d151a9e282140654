"""What a burst has freed is given back, and an idle process does not work for it."""

import asyncio
import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from process.memory import give_back, keep_for_life
from testing.deadlines import PATIENCE_S

BURST = """
import gc, json
from pathlib import Path
from process.memory import bound_heaps, trim

PAGES_PER_MIB = 256

def resident_mib():
    return int(Path("/proc/self/statm").read_text().split()[1]) // PAGES_PER_MIB

def burst():
    for _ in range(300_000):
        garbage = [bytearray(600)]  # larger than what Python's own allocator takes
        garbage.append(garbage)
    return bytearray(600)  # the end of the heap stays in use

bound_heaps()
before = resident_mib()
gc.disable()
last = burst()
during = resident_mib()
trim()
print(json.dumps([before, during, resident_mib()]))
"""


class Looks:
    """CPU seconds as `give_back` sees them: the given ones, and the last again and again."""

    def __init__(self, *cpu_s: float) -> None:
        self._cpu_s = list(cpu_s)
        self.made = 0
        self.over = asyncio.Event()

    def __call__(self) -> float:
        self.made += 1
        if self.made > len(self._cpu_s):
            self.over.set()
        return self._cpu_s[min(self.made, len(self._cpu_s)) - 1]


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """The generations that are collected on demand, with the automatic ones off; nothing stays frozen."""
    seen: list[int] = []

    def note(phase: str, about: dict[str, int]) -> None:
        if phase == "start":
            seen.append(about["generation"])

    gc.disable()
    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)
    gc.unfreeze()
    gc.enable()


async def looked(looks: Looks) -> None:
    keeping = asyncio.create_task(give_back(0.001, looks))
    async with asyncio.timeout(PATIENCE_S):
        await looks.over.wait()
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


def test_what_a_burst_has_freed_goes_back_to_the_system() -> None:
    ended = subprocess.run([sys.executable, "-c", BURST], capture_output=True, text=True, check=True)
    before, during, after = map(int, ended.stdout.strip("[]\n").split(", "))
    assert during - before > 100
    assert after - before < 30


async def test_a_process_that_worked_gives_back_once(collections: list[int]) -> None:
    await looked(Looks(1.0, 1.0, 1.0))
    assert collections == [2]


async def test_it_gives_back_again_after_more_work(collections: list[int]) -> None:
    await looked(Looks(1.0, 1.0, 2.0))
    assert collections == [2, 2]


async def test_an_idle_process_does_nothing(collections: list[int]) -> None:
    await looked(Looks(0.01, 0.02))
    assert collections == []


async def test_what_is_there_at_the_start_is_gone_through_once(collections: list[int]) -> None:
    keep_for_life()
    kept = gc.get_freeze_count()
    await looked(Looks(1.0, 2.0))
    assert kept > 0 and gc.get_freeze_count() <= kept
