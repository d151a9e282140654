"""Verify: a Workspace becomes ready only after every pod has returned a completion for every model name."""

import time
from typing import Final

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.view.cluster_view import ClusterView
from activities.clients.view.watched import PODS
from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.serving import Completions, VerifyRequest
from activities.errors.kubernetes import message_of
from activities.heartbeat import heartbeating
from activities.nodes.losses import while_nodes_ready
from api import labels
from api.pods.serve import SERVE_PORT

COMPLETION_TIMEOUT_S: Final = 120.0
"""The first completion compiles kernels; on two CPU cores that takes up to half a minute."""
PROMPT: Final = "Hello"


class Verification:
    """Queries pods through the API server's proxy, which works from a worker outside the cluster's network too."""

    def __init__(self, view: ClusterView) -> None:
        self._view = view
        self._cluster = view.cluster

    @signatures.implements(signatures.READ_COMPLETIONS)
    async def read_completions(self, request: VerifyRequest) -> Completions:
        """Requests one completion per pod and model name. Raises VerifyFailed with the server's own message,
        or NodeLost."""
        slowest, answered = 0.0, 0
        key = request.workspace
        async with heartbeating() as progress, while_nodes_ready(self._view, request.nodes):
            # A pod that hangs is no cluster that is away.
            await self._view.now(PODS, key.namespace, selector=f"{labels.WORKSPACE_UID}={key.uid}")
            progress.note_met()
            for pod in request.pods:
                for model in request.model_names:
                    started = time.monotonic()
                    await self._complete(request.workspace.namespace, pod, model)
                    slowest, answered = max(slowest, time.monotonic() - started), answered + 1
                    progress.report({"answered": answered})
        return Completions(answered=answered, slowest_s=round(slowest, 3))

    async def _complete(self, namespace: str, pod: str, model: str) -> None:
        body = {"model": model, "prompt": PROMPT, "max_tokens": 1, "temperature": 0}
        try:
            answer = await self._cluster.post_to_pod(
                namespace, pod, SERVE_PORT, "/v1/completions", body, COMPLETION_TIMEOUT_S
            )
        except ApiException as error:
            if is_passing(error.status or 0):
                raise
            raise failure("VerifyFailed", f"pod {pod} refused a completion of {model}: {message_of(error)}") from None
        if not answer.get("choices"):
            raise failure("VerifyFailed", f"pod {pod} answered a completion of {model} without choices: {answer}")


def is_passing(status: int) -> bool:
    """Whether the status is transient and not the model's fault: API server, network or server are busy or restarting.

    A 500 is the model server's own response. The step's deadline ends a status that persists.
    """
    return status in (0, 403, 429, 502, 503, 504)
