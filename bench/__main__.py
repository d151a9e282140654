"""`python -m bench [--only NAME ...]`: measures, prints one JSON line per figure, stops everything that it started.

Measurements that need no cluster run first and alone; the others share a stack. Progress goes to stderr. Exits with 1
if a goal was missed.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from bench import (
    admission,
    calls_per_life,
    many_workspaces,
    never_satisfied,
    planning,
    publishing,
    time_to_ready,
    workload_latency,
)
from bench.results import Result, print_all
from bench.tuning import measure as tuning
from testing.api_calls import POLICY
from testing.stack import Stack, running
from testing.workspaces import Workspaces, connected

ALONE: Final[Mapping[str, Callable[[Path], Iterator[Result]]]] = {
    "tuning": tuning.measure,
    "publishing": publishing.measure,
}
MEASUREMENTS: Final[Mapping[str, Callable[[Stack, Workspaces], AsyncIterator[Result]]]] = {
    "admission": admission.measure,
    "planning": planning.measure,
    "workload-latency": workload_latency.measure,
    "calls-per-life": calls_per_life.measure,
    "time-to-ready": time_to_ready.measure,
    "many-workspaces": many_workspaces.of(many_workspaces.TWO_HUNDRED),
    "500-workspaces": many_workspaces.of(many_workspaces.FIVE_HUNDRED),
    "never-satisfied": never_satisfied.measure,
}
INSTANCE: Final = "bench"
# More pools than AKS allows per cluster: the subject is our processes, not AKS's limits.
ENVIRONMENT: Final = {"MODELYARD_AZURE_POOLS_PER_CLUSTER": str(10 * many_workspaces.FIVE_HUNDRED.count)}


def measure_alone(name: str) -> bool:
    """Prints the figures of a measurement that needs no cluster; returns whether every goal was met."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        met = print_all(ALONE[name](Path(folder)))
    _log(f"{name}: {time.monotonic() - began:.0f} s")
    return met


async def measure(stack: Stack, wanted: list[str]) -> bool:
    """Prints the figures; returns whether every goal was met."""
    met = True
    async with connected(stack.layout) as workspaces:
        for name in wanted:
            began = time.monotonic()
            async for result in MEASUREMENTS[name](stack, workspaces):
                print(result.line(), flush=True)
                met = met and result.ok is not False
            _log(f"{name}: {time.monotonic() - began:.0f} s")
    return met


def main() -> int:
    """Entry point; returns the exit code."""
    names = [*ALONE, *MEASUREMENTS]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="measurements")
    wanted = parser.parse_args().only
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that the stack is stopped
    met = [measure_alone(name) for name in wanted if name in ALONE]
    with_stack = [name for name in wanted if name in MEASUREMENTS]
    if with_stack:
        _log("starting a control plane without kubelets")
        with running(INSTANCE, ENVIRONMENT, POLICY) as stack:
            met.append(asyncio.run(measure(stack, with_stack)))
    return 0 if all(met) else 1


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
