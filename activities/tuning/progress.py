"""Copies a training's progress from its pod to the status that users see.

Reads it from the pod through the API server and writes it to status.training under a field manager of its own,
bypassing the workflow: a training of days would otherwise fill the workflow's history. Any error here costs a figure
that is some seconds old, never the training.
"""

import time
from collections.abc import Iterable
from typing import Final

from pydantic import ValidationError
from temporalio import activity

from activities.clients.kubernetes import REQUEST_ERRORS, Cluster, Object
from activities.clients.pod_proxy import PodAnswerInvalid, PodProxy
from activities.contract.tuning import JobWait
from activities.heartbeat import Progress
from activities.tuning.pods import last_message, training_status, tune_status
from api import labels
from api.pods.tune import TUNE_PORT, TuneStatus

EVERY_S: Final = 10.0
ANSWER_S: Final = 5.0


class TrainingProgress:
    """Progress of one training, while its Job is waited for."""

    def __init__(self, cluster: Cluster, wait: JobWait) -> None:
        self._cluster = cluster
        self._pods = PodProxy(cluster)
        self._wait = wait
        self._queried_at = -EVERY_S
        self._written: TuneStatus | None = None

    async def update(self, pod: str, progress: Progress) -> None:
        """Queries the pod, at most every EVERY_S; writes changes to the status and reports them in the next
        heartbeat."""
        if time.monotonic() - self._queried_at < EVERY_S:
            return
        self._queried_at = time.monotonic()
        try:
            body = await self._pods.get(self._wait.workspace.namespace, pod, TUNE_PORT, "/healthz", ANSWER_S)
            status = TuneStatus.model_validate(body)
        except (*REQUEST_ERRORS, PodAnswerInvalid) as error:
            activity.logger.info("the training's progress could not be read", extra={"cause": str(error)[:300]})
            return
        except ValidationError as error:  # its text would quote what the pod has sent
            fields = ", ".join(str(one["loc"][0]) for one in error.errors(include_input=False, include_context=False))
            activity.logger.info("the training's progress is not as it should be", extra={"fields": fields[:300]})
            return
        progress.report(status.model_dump(include=_REPORTED, exclude_none=True))
        await self._write(status)

    async def note_end(self, pods: Iterable[Object]) -> None:
        """Writes the training's last report, from its pod's status: its server has ended with it."""
        status = tune_status(last_message(pods, self._wait.part, self._wait.digest))
        if status is not None:
            await self._write(status)

    async def _write(self, status: TuneStatus) -> None:
        if status == self._written:
            return
        key = self._wait.workspace
        body: Object = {
            "apiVersion": labels.V1BETA1,
            "kind": labels.KIND,
            "metadata": {"name": key.name, "namespace": key.namespace, "uid": key.uid},
            "status": {"training": training_status(status).wire()},
        }
        try:
            await self._cluster.apply("Workspace", body, subresource="status", manager=labels.TRAINING_MANAGER)
            self._written = status
        except REQUEST_ERRORS as error:
            activity.logger.warning("the training's progress could not be written", extra={"cause": str(error)[:300]})


_REPORTED: Final = {"phase", "step", "total_steps", "loss", "tokens_per_s", "eta_s", "last_checkpoint", "resumed_from"}
