"""`python -m bench [--only NAME]`: starts a stack without kubelets, measures, prints JSON lines, stops it."""

import argparse
import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from bench import crowd, life, overlap, reaction
from tests.harness.stack import Stack, running

MEASUREMENTS: Final[dict[str, Callable[[Stack], Coroutine[Any, Any, None]]]] = {
    "reaction": reaction.measure,
    "life": life.measure,
    "overlap": overlap.measure,
    "crowd": crowd.measure,
}


def main() -> None:
    """Runs all measurements, or those that were named."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="this one; may be repeated")
    wanted = parser.parse_args().only or list(MEASUREMENTS)
    with running("bench") as stack:
        for name in wanted:
            asyncio.run(MEASUREMENTS[name](stack))


if __name__ == "__main__":
    main()
