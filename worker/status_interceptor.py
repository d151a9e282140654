"""Registers the status writer with the workflows of a worker, as external functions of the workflow sandbox.

What they are called, and why a status does not go through the history, is said in `activities/contract/status_sink.py`.
"""

from collections.abc import Awaitable, Callable

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Interceptor, WorkflowInboundInterceptor, WorkflowInterceptorClassInput

from activities.contract.payloads import WorkspaceKey
from activities.contract.status_sink import functions
from activities.status.writer import StatusWriter
from api import names
from workflows.messages import SIGNAL_GONE, Gone


class StatusInterceptor(Interceptor):
    """Gives every workflow of a worker the functions of one writer."""

    def __init__(self, writer: StatusWriter) -> None:
        self._functions = functions(writer.offer, writer.forget)

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        """Adds the functions; intercepts nothing."""
        input.unsafe_extern_functions.update(self._functions)
        return None


def gone_reporter(client: Client) -> Callable[[WorkspaceKey], Awaitable[None]]:
    """Returns a function that tells a workflow that its Workspace is gone."""

    async def report_gone(key: WorkspaceKey) -> None:
        handle = client.get_workflow_handle(names.workflow_id(key.namespace, key.name))
        try:
            await handle.signal(SIGNAL_GONE, Gone(uid=key.uid))
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:  # it has ended meanwhile
                raise

    return report_gone
