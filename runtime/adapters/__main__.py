"""`python -m runtime.adapters --config FILE`: installs every adapter, reports the result, then idles.

A second run skips adapters that are already installed. Exit codes and reasons are in `failures.py`.
"""

import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Final

from api.pods.adapters import AdaptersConfig
from runtime.adapters.install import bring
from runtime.pod.exit import log_line, run

STAYING: Final = "every adapter is there; idling until SIGTERM"


def main(argv: list[str] | None = None) -> int:
    """Installs the adapters and idles until SIGTERM; returns the exit code, on a failure at once."""
    return run("runtime.adapters", AdaptersConfig, bring_and_stay, argv)


def bring_and_stay(config: AdaptersConfig) -> Mapping[str, Any]:
    """Keeps running afterwards: the kubelet restarts a container that exits. Raises Failure."""
    bring_all(config)
    # PID 1 of a container has no default signal handlers.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    log_line(STAYING)
    while True:
        signal.pause()


def bring_all(config: AdaptersConfig) -> None:
    """Installs sequentially: adapters are small compared with the weights fetched in parallel. Raises Failure."""
    Path(config.folder).mkdir(parents=True, exist_ok=True)
    for source in config.adapters:
        record = bring(source, config)
        origin = record.origin or "from a volume"
        log_line(f"adapter {record.name}: rank {record.rank}, strength {record.strength:g}, {origin}")


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
