"""`python -m runtime.adapters --config FILE`: brings every adapter, says so, then idles.

Run again it brings nothing that is there already. Exit codes and reasons are in `failures.py`.
"""

import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from api.pods.adapters import AdaptersConfig
from runtime.adapters.install import bring
from runtime.pod.exit import run, say


def main(argv: list[str] | None = None) -> int:
    """Idles until it is asked to stop; a failure returns its own code at once."""
    return run("runtime.adapters", AdaptersConfig, bring_and_stay, argv)


def bring_and_stay(config: AdaptersConfig) -> Mapping[str, Any]:
    """A pod's container that ends is started again, so it stays. Raises Failure."""
    bring_all(config)
    # The first process of a container has no default action for signals.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    while True:
        signal.pause()


def bring_all(config: AdaptersConfig) -> None:
    """One after the other: adapters are small beside the weights that come meanwhile. Raises Failure."""
    Path(config.folder).mkdir(parents=True, exist_ok=True)
    for source in config.adapters:
        record = bring(source, config)
        origin = record.origin or "from a volume"
        say(f"adapter {record.name}: rank {record.rank}, strength {record.strength:g}, {origin}")


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
