"""How much more memory a block of code holds at its peak than when it began, as Python's allocator counts it."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

MIB: Final = 1 << 20


@contextmanager
def grows_at_most(mib: float) -> Iterator[None]:
    """Raises AssertionError with the figure if the block grows by more; prints it otherwise."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        yield
        grown = (tracemalloc.get_traced_memory()[1] - before) / MIB
    finally:
        tracemalloc.stop()
    print(f"grew by {grown:.1f} MiB, at most {mib:g}")
    assert grown <= mib, f"grew by {grown:.1f} MiB, and {mib:g} are allowed"
