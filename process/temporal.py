"""Configures the Temporal client: one plugin with converter, sandbox and interceptors, so that workers, clients,
replays and tests cannot drift apart.
"""

from collections.abc import Callable
from typing import Final

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.plugin import SimplePlugin
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.errors.interceptor import FailureInterceptor
from process.health import free_loopback_port
from process.settings import TemporalSettings

PORTS_TRIED: Final = 5
PORT_TAKEN: Final = "Address already in use"
"""How the SDK reports it, in the message of a ValueError."""
PASSED_THROUGH: Final = (
    "activities",
    "api",
    "presets",
    "workflows.ledger",
    "workflows.messages",
    "workflows.status.search_attributes",
    "workflows.state",
)
"""Modules without workflow code: imported once, the same objects inside and outside the sandbox."""


def plugin() -> SimplePlugin:
    """Returns the plugin that all clients and workers of this project use."""
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    return SimplePlugin(
        "modelyard",
        data_converter=pydantic_data_converter,
        workflow_runner=SandboxedWorkflowRunner(restrictions=restrictions),
        interceptors=[FailureInterceptor()],
    )


async def connect(settings: TemporalSettings, *, runtime: Runtime | None = None, lazy: bool = False) -> Client:
    """Returns a client, by default on a runtime that exports no metrics. Raises RuntimeError without a server."""
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        plugins=[plugin()],
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
