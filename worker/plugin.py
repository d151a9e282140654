"""Configures the Temporal SDK for workers: one plugin with converter, sandbox, failures and heartbeats, so that
workers, replays and tests cannot drift apart.
"""

from collections.abc import Sequence
from typing import Final

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.plugin import SimplePlugin
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.errors.interceptor import FailureInterceptor, Mapping
from worker.heartbeat_interceptor import HeartbeatInterceptor

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


def plugin(mappings: Sequence[Mapping] = (), *, sandboxed: bool = True) -> SimplePlugin:
    """Returns the plugin of a worker or a replay. `mappings`: the failures of the clients that its activities have."""
    return SimplePlugin(
        "modelyard",
        data_converter=pydantic_data_converter,
        workflow_runner=_sandbox() if sandboxed else UnsandboxedWorkflowRunner(),
        interceptors=[FailureInterceptor(mappings), HeartbeatInterceptor()],
    )


def _sandbox() -> WorkflowRunner:
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))
