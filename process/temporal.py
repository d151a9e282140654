"""Connects the Temporal client of every process, all with one data converter; without TLS, with it, with client
certificates or API keys (docs/temporal.md).

What only workers have is in `worker/plugin.py`: importing the SDK's workers and sandbox costs the others memory. Where
the settings come from is `process/connection/target.py`'s, credentials that change `process/connection/rotation.py`'s,
encryption of payloads `process/encryption/codec.py`'s.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig
from temporalio.service import ConnectConfig, RPCError, ServiceClient

from process.connection.errors import not_connected
from process.connection.rotation import RenewableService
from process.connection.target import Target, read_target
from process.encryption.codec import converter
from process.health import free_loopback_port
from process.settings import TemporalSettings

CONNECT_S: Final = 15.0
"""For the connection, the handshake and the first two answers."""
PORTS_TRIED: Final = 5
PORT_TAKEN: Final = "Address already in use"
"""How the SDK reports it, in the message of a ValueError."""


async def connect(settings: TemporalSettings, *, runtime: Runtime | None = None, lazy: bool = False) -> Client:
    """Returns a client, by default on a runtime that exports no metrics. Raises Misconfigured for settings that cannot
    be read, and NotConnected without a server that accepts them, unless `lazy`: both are RuntimeErrors."""
    target = read_target(settings)
    runtime = runtime or Runtime(telemetry=TelemetryConfig())
    connected = partial(open_service, runtime=runtime)
    service = await (ServiceClient.connect(_config(target, runtime, lazy=True)) if lazy else connected(target))
    renewable = RenewableService(service, target, read=partial(read_target, settings), open_service=connected)
    data_converter = converter(settings.temporal_payload_keys_file)
    return Client(renewable, namespace=target.namespace, data_converter=data_converter)


async def open_service(target: Target, runtime: Runtime) -> ServiceClient:
    """Connects, and makes sure that the namespace may be used. Raises NotConnected."""
    try:
        async with asyncio.timeout(CONNECT_S):
            service = await ServiceClient.connect(_config(target, runtime, lazy=False))
            await service.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=target.namespace))
    except (RPCError, RuntimeError, ValueError, TimeoutError) as error:
        raise not_connected(error, target) from error
    return service


def _config(target: Target, runtime: Runtime, *, lazy: bool) -> ConnectConfig:
    return ConnectConfig(
        target_host=target.address,
        tls=target.tls,
        api_key=target.api_key,
        rpc_metadata=target.metadata,
        runtime=runtime,
        lazy=lazy,
        connect_timeout=timedelta(seconds=CONNECT_S),
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
