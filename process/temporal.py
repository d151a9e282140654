"""Connects the Temporal client of every process, all with one data converter.

What only workers have is in `worker/plugin.py`: importing the SDK's workers and sandbox costs the others memory.
"""

from collections.abc import Callable, Sequence
from typing import Final

from temporalio.client import Client, Plugin
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from process.health import free_loopback_port
from process.settings import TemporalSettings

PORTS_TRIED: Final = 5
PORT_TAKEN: Final = "Address already in use"
"""How the SDK reports it, in the message of a ValueError."""


async def connect(
    settings: TemporalSettings,
    *,
    runtime: Runtime | None = None,
    lazy: bool = False,
    plugins: Sequence[Plugin] = (),
) -> Client:
    """Returns a client, by default on a runtime that exports no metrics. Raises RuntimeError without a server."""
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        data_converter=pydantic_data_converter,
        plugins=plugins,
        lazy=lazy,
        runtime=runtime or Runtime(telemetry=TelemetryConfig()),
    )


def runtime_with_metrics(choose_port: Callable[[], int] = free_loopback_port) -> tuple[Runtime, int]:
    """Returns a runtime that exports the SDK's metrics, and the loopback port that it listens on.

    Tries several ports, because another process may take a free one before the SDK does. Raises ValueError after the
    last.
    """
    for attempt in range(1, PORTS_TRIED + 1):
        port = choose_port()
        try:
            return Runtime(telemetry=TelemetryConfig(metrics=_metrics(port))), port
        except ValueError as error:
            if PORT_TAKEN not in str(error) or attempt == PORTS_TRIED:
                raise
    raise AssertionError("the last attempt returns or raises")


def _metrics(port: int) -> PrometheusConfig:
    return PrometheusConfig(
        bind_address=f"127.0.0.1:{port}", counters_total_suffix=True, unit_suffix=True, durations_as_seconds=True
    )
