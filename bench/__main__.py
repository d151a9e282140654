"""`python -m bench [--only NAME ...]`: measures, prints one JSON line per figure, stops everything that it started.

Measurements that need no cluster run first and alone; a crowd has a stack of its own, the others share one. `--at`
measures the processes of other commits in the same way, in turn, and prints how many times the first one's each figure
of the others is. Progress goes to stderr. Exits with 1 if a goal was missed.
"""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from bench import admission, planning, publishing, time_to_ready, workload_latency
from bench.comparison import ratios
from bench.lives import crowd, life, never_satisfied
from bench.results import Result, print_all
from bench.tuning import measure as tuning
from testing.api_calls import POLICY
from testing.checkouts import HERE, Checkout, checked_out
from testing.stack import Stack, running
from testing.workspaces import Workspaces, connected

Measure = Callable[[Stack, Workspaces], AsyncIterator[Result]]
ALONE: Final[Mapping[str, Callable[[Path], Iterator[Result]]]] = {
    "tuning": tuning.measure,
    "publishing": publishing.measure,
}
SHARED: Final[Mapping[str, Measure]] = {
    "admission": admission.measure,
    "planning": planning.measure,
    "workload-latency": workload_latency.measure,
    "life": life.measure,
    "time-to-ready": time_to_ready.measure,
    "never-satisfied": never_satisfied.measure,
}
CROWD: Final = "crowd"
COUNTS: Final = (200, 500)
INSTANCE: Final = "bench"
# More pools than AKS allows per cluster: the subject is our processes, not AKS's limits. Bytecode is written, as in
# production: processes that compile all modules at every start would be measured at that.
ENVIRONMENT: Final = {"MODELYARD_AZURE_POOLS_PER_CLUSTER": "5000", "PYTHONDONTWRITEBYTECODE": ""}


def arguments() -> argparse.Namespace:
    """Parses the command line."""
    names = [*ALONE, *SHARED, CROWD]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="measurements")
    parser.add_argument("--count", nargs="+", type=int, default=COUNTS, help="Workspaces of each crowd")
    parser.add_argument("--rounds", type=int, default=1, help="how often everything is measured; ratios are of medians")
    at = f"commit whose processes are measured, {HERE} for this checkout as it is; give it again to compare"
    parser.add_argument("--at", action="append", help=at)
    return parser.parse_args()


def main() -> int:
    """Entry point; returns the exit code."""
    given = arguments()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that the stack is stopped
    found = [result for name in given.only if name in ALONE for result in measure_alone(name)]
    commits = given.at or [HERE]
    for _ in range(given.rounds):
        for commit in commits:
            with checked_out(commit) as checkout:
                for measures in stacks(given.only, given.count):
                    found += measure(checkout, measures)
    compared = list(ratios(found))
    print_all(compared)
    return 0 if all(result.ok is not False for result in (*found, *compared)) else 1


def stacks(wanted: list[str], counts: list[int]) -> Iterator[Mapping[str, Measure]]:
    """Yields, for each stack, what is measured on it."""
    if shared := {name: measure for name, measure in SHARED.items() if name in wanted}:
        yield shared
    for count in counts if CROWD in wanted else ():
        yield {f"{CROWD} of {count}": crowd.of(count)}


def measure_alone(name: str) -> list[Result]:
    """Prints and returns the figures of a measurement that needs no cluster."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = list(_printed(ALONE[name](Path(folder))))
    _log(f"{name}: {time.monotonic() - began:.0f} s")
    return found


def measure(checkout: Checkout, measures: Mapping[str, Measure]) -> list[Result]:
    """Prints and returns the figures of one stack, which runs the checkout's processes."""
    _log(f"starting a control plane without kubelets, for {checkout.label}")
    with running(INSTANCE, ENVIRONMENT, POLICY, checkout) as stack:
        return asyncio.run(_on_stack(stack, checkout, measures))


async def _on_stack(stack: Stack, checkout: Checkout, measures: Mapping[str, Measure]) -> list[Result]:
    found: list[Result] = []
    async with connected(stack.layout) as workspaces:
        for name, each in measures.items():
            began = time.monotonic()
            async for result in each(stack, workspaces):
                found += _printed([replace(result, at=checkout.label)])
            load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
            _log(f"{name} at {checkout.label}: {time.monotonic() - began:.0f} s; load of the machine {load}")
    return found


def _printed(results: Iterator[Result] | list[Result]) -> Iterator[Result]:
    for result in results:
        print(result.line(), flush=True)
        yield result


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
