"""Verify: a Workspace becomes ready only after every pod has returned a completion for every model name, and one of
them, for each adapter, another one than the base model's.

How answers are compared is decided by `adapter_effects.py`.
"""

import time
import uuid
from http import HTTPStatus
from typing import Final

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from activities.clients.pod_proxy import PodAnswerInvalid, PodProxy
from activities.clients.view.cluster_view import ClusterView
from activities.clients.view.watched import PODS
from activities.clients.watch import Collection
from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.payloads import WorkspaceKey
from activities.contract.serving import Completions, VerifyRequest
from activities.heartbeat import heartbeating
from activities.manifests import adapters
from activities.nodes.losses import while_nodes_ready
from activities.serving.adapter_effects import Continuation, continuation_of, question, without_effect
from activities.serving.pod_owners import PodOwners
from activities.workspaces import read_existing
from api import labels
from api.pods.serve import SERVE_PORT

COMPLETION_TIMEOUT_S: Final = 120.0
"""The first completion compiles kernels; on two CPU cores that takes up to half a minute."""
PROMPT: Final = "Hello"
READ_LOG: Final = "Read the pod's log"


class Verification:
    """Queries pods through the API server's proxy. What a pod sends is never quoted: it may be a stranger's."""

    def __init__(self, view: ClusterView, owners: PodOwners | None = None) -> None:
        self._view = view
        self._owners = owners or PodOwners(view.cluster)
        self._pods = PodProxy(view.cluster)

    @signatures.implements(signatures.READ_COMPLETIONS)
    async def read_completions(self, request: VerifyRequest) -> Completions:
        """Requests one completion per pod and model name; `model_names` begins with the base model. Raises
        VerifyFailed with what was wrong with the answer, AdapterWithoutEffect, or NodeLost."""
        slowest, answered = 0.0, 0
        key = request.workspace
        async with heartbeating() as progress, while_nodes_ready(self._view, request.nodes):
            # A pod that hangs is no cluster that is away.
            seen = await self._view.now(PODS, key.namespace, selector=f"{labels.WORKSPACE_UID}={key.uid}")
            progress.note_met()
            await self._require_own(key, request.pods, seen)
            for pod in request.pods:
                for model in request.model_names:
                    started = time.monotonic()
                    await complete(self._pods, request.workspace.namespace, pod, model)
                    slowest, answered = max(slowest, time.monotonic() - started), answered + 1
                    progress.report({"answered": answered})
            # Every replica has the same files: what one of them shows holds for all.
            for pod in request.pods[:1]:
                await require_effects(self._view.cluster, key, pod, request.model_names)
        return Completions(answered=answered, slowest_s=round(slowest, 3))

    async def _require_own(self, key: WorkspaceKey, pods: list[str], seen: Collection) -> None:
        """Raises VerifyFailed if a pod is gone or another one has its name. What the view lacks it may not know yet."""
        for pod in (name for name in pods if name not in seen):
            found = await self._view.cluster.get("Pod", pod, key.namespace)
            seen |= {} if found is None else {pod: found}
        own = await self._owners.own({name: pod for name, pod in seen.items() if name in pods}, key)
        if others := [name for name in pods if name not in own]:
            where = f"{key.namespace}/{', '.join(others)}"
            raise failure("VerifyFailed", f"pods that were ready are not this Workspace's any more: {where}")


async def require_effects(cluster: Cluster, key: WorkspaceKey, pod: str, models: list[str]) -> None:
    """Raises AdapterWithoutEffect that names the adapters whose answers on this pod are the base model's, which is the
    first of `models`; those of strength 0 are meant to change nothing. Raises as `complete` does."""
    pods = PodProxy(cluster)

    async def ask(model: str) -> Continuation | None:
        return await ask_continuation(pods, key.namespace, pod, model)

    base, *names = models
    idle = await without_effect(ask, base, names)
    if idle:
        specs = adapters.written(await read_existing(cluster, key))
        at_zero = {adapters.name_of(spec) for spec in specs if adapters.strength_of(spec) == 0}
        idle = [name for name in idle if name not in at_zero]
    if idle:
        raise failure("AdapterWithoutEffect", _idle_words(base, idle))


async def complete(pods: PodProxy, namespace: str, pod: str, model: str) -> None:
    """Requests one completion. Raises VerifyFailed with what was wrong with the answer, and never with the answer."""
    await _ask(pods, namespace, pod, {"model": model, "prompt": PROMPT, "max_tokens": 1, "temperature": 0})


async def ask_continuation(pods: PodProxy, namespace: str, pod: str, model: str) -> Continuation | None:
    """Requests an answer with log-probabilities; None from a server that is set up to give none, or has no room for the
    prompt. Raises as `complete` does."""
    try:
        answer = await _ask(pods, namespace, pod, question(model, uuid.uuid4().hex))
    except _Unasked:
        return None
    if (found := continuation_of(answer)) is None:
        raise failure("VerifyFailed", f"{_where(pod, model)} without the log-probabilities asked for. {READ_LOG}")
    return found


class _Unasked(Exception):
    """The server refuses the request as such: it has answered a simpler one."""


async def _ask(pods: PodProxy, namespace: str, pod: str, body: Object) -> Object:
    where = _where(pod, body["model"])
    try:
        answer = await pods.post(namespace, pod, SERVE_PORT, "/v1/completions", body, COMPLETION_TIMEOUT_S)
    except PodAnswerInvalid as error:
        raise failure("VerifyFailed", f"{where}: {error}. {READ_LOG}") from None
    except ApiException as error:
        if is_passing(error.status or 0):
            raise
        if error.status == HTTPStatus.BAD_REQUEST and "logprobs" in body:
            raise _Unasked from None
        raise failure("VerifyFailed", f"{where} with {error.status}: {error.reason}. {READ_LOG}") from None
    if not answer.get("choices"):
        raise failure("VerifyFailed", f"{where} without the field choices. {READ_LOG}")
    return answer


def _where(pod: str, model: str) -> str:
    return f"pod {pod} answered a completion of {model}"


def _idle_words(base: str, idle: list[str]) -> str:
    named = f"adapter {idle[0]} changes" if len(idle) == 1 else f"adapters {', '.join(idle)} change"
    return (
        f"{named} nothing: each answer is that of {base}, in every log-probability. It learned nothing (all of "
        "lora_B is zero), or its tensors are of another model. Look at its training, or serve it beside the model "
        "that it was trained on"
    )


def is_passing(status: int) -> bool:
    """Whether the status is transient and not the model's fault: API server, network or server are busy or restarting.

    A 500 is the model server's own response. The step's deadline ends a status that persists.
    """
    return status in (0, 403, 429, 502, 503, 504)
