"""Configures the Temporal client: one plugin with converter, sandbox and interceptors, so that workers, clients,
replays and tests cannot drift apart.
"""

from typing import Final

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.plugin import SimplePlugin
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.errors.interceptor import FailureInterceptor
from process.settings import TemporalSettings

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


async def connect(settings: TemporalSettings, *, sdk_metrics_port: int | None = None, lazy: bool = False) -> Client:
    """Returns a client; the SDK exports its metrics on a loopback port. Raises RuntimeError without a server."""
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        plugins=[plugin()],
        lazy=lazy,
        runtime=Runtime(telemetry=TelemetryConfig(metrics=_metrics(sdk_metrics_port) if sdk_metrics_port else None)),
    )


def _metrics(port: int) -> PrometheusConfig:
    return PrometheusConfig(
        bind_address=f"127.0.0.1:{port}", counters_total_suffix=True, unit_suffix=True, durations_as_seconds=True
    )
