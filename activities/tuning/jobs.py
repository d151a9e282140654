"""Runs the parts of a tuning as Jobs, waits for them, and deletes them.

A Job with the same digest is left alone, regardless of its creator; one with another digest, or one that has failed,
is deleted first, until its last pod is gone: two trainings never write to one volume. manifests/tuning.py builds the
objects, pods.py evaluates the pods.
"""

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from kubernetes.aio.client.exceptions import ApiException
from temporalio import activity

from activities.clients.kubernetes import Object
from activities.clients.ownership import delete_ours, ensure_ours, owned, require_ours
from activities.clients.pod_proxy import PodProxy
from activities.clients.view.cluster_view import ClusterView
from activities.clients.view.watched import JOBS, PODS
from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.payloads import WorkspaceKey
from activities.contract.serving import Undeployed
from activities.contract.tuning import JobApplied, JobDone, JobRequest, JobWait, TuningKey, TuningPart
from activities.deadline import deadline_after, time_allowed
from activities.heartbeat import Progress, heartbeating
from activities.manifests import serving
from activities.manifests import tuning as tuning_objects
from activities.nodes.lasting_pods import seconds_until_late
from activities.nodes.losses import while_nodes_ready
from activities.serving.first_pods import WITHIN, look_for_pods
from activities.serving.last_words import LastWords, with_last_words
from activities.serving.pod_owners import PodOwners, is_of_job
from activities.serving.pods import Problem, digest_of
from activities.serving.refused_pods import RefusedPods
from activities.serving.steadiness import Standing
from activities.tuning.config import part_digest, read_tuning
from activities.tuning.pods import Verdict, job_complete, job_failed, judged
from activities.tuning.progress import TrainingProgress
from api import labels, names
from api.configs.option_classes import RemoteCode, nowhere

LOOK_S: Final = 10.0
"""Between two polls of a training's progress, and of a Job without pods."""
REPLACE_DEADLINE: Final = timedelta(minutes=10)
PARTS: Final[tuple[TuningPart, ...]] = ("publish", "train", "fetch")


class TuningJobs:
    """The Jobs of one cluster's tuning Workspaces."""

    def __init__(
        self,
        view: ClusterView,
        images: serving.Images,
        around: tuning_objects.TuningPodSettings,
        remote_code: RemoteCode = nowhere,
        first_pods: timedelta = WITHIN,
    ) -> None:
        self._first_pods = first_pods
        self._remote_code = remote_code
        self._view = view
        self._cluster = view.cluster
        self._owners = PodOwners(view.cluster)
        self._words = LastWords(PodProxy(view.cluster))
        self._images = images
        self._around = around

    @signatures.implements(signatures.ENSURE_TUNING_JOB)
    async def ensure_tuning_job(self, request: JobRequest) -> JobApplied:
        """Ensures the volume, the ConfigMap and the Job of one part. Raises WorkspaceGone, ConfigNotFound,
        ConfigInvalid, SecretNotFound, OwnershipConflict, and what the namespace refuses to have made."""
        plan, part = request.plan, request.part
        async with heartbeating() as progress:
            tuning = await read_tuning(self._cluster, plan, self._remote_code)
            progress.note_met()
            await self._require_secrets(plan.key, tuning_objects.secrets_of(plan, part, tuning))
            pod_config = tuning_objects.config_of(
                plan, part, tuning, request.pinned, self._around, self._images.hf_endpoint
            )
            content = pod_config.model_dump_json(indent=2)
            job = tuning_objects.job(plan, part, "", tuning, request.pinned, self._around, self._images)
            digest = part_digest(content, job)
            job = tuning_objects.job(plan, part, digest, tuning, request.pinned, self._around, self._images)
            if tuning_objects.needs_volume(tuning):
                await self._ensure_volume(tuning_objects.volume_claim(plan, self._around.storage_class), plan.key)
            existing = await self._existing("Job", job, plan.key)
            if existing is None or not _is_good(existing, digest):
                if existing is not None:
                    await self._delete_job(existing, plan.key, part)
                config = tuning_objects.config_map(plan, part, digest, content)
                for kind, body in (("ConfigMap", config), ("Job", job)):
                    await ensure_ours(
                        self._cluster, kind, body, plan.key, good=lambda found: _is_good(found, digest), new=True
                    )
            name, selector = job["metadata"]["name"], _selector(plan.key, part)
            await look_for_pods(self._view, "Job", name, plan.key, selector=selector, within=self._first_pods)
        return JobApplied(name=name, digest=digest)

    @signatures.implements(signatures.WAIT_FOR_TUNING_JOB)
    async def wait_for_tuning_job(self, wait: JobWait) -> JobDone:
        """Returns when the program has started, or succeeded. Raises the reason that the pod reported, or the pod's own
        problem, if another start is not worthwhile; TrainingStopped if the Job is gone; NodeLost;
        DeadlineExceeded."""
        deadline = deadline_after((time_allowed(activity.info()) or timedelta(days=7)) - timedelta(seconds=5))
        last, standing = Verdict(), Standing()
        refused = RefusedPods(self._cluster, "Job", names.tuning_job(wait.workspace.name, wait.part), wait.workspace)
        where, selector = wait.workspace.namespace, _selector(wait.workspace, wait.part)
        async with (
            heartbeating() as progress,
            while_nodes_ready(self._view, wait.nodes),
            self._view.observe(PODS, where, selector=selector, until=deadline) as looks,
        ):
            training = TrainingProgress(self._cluster, wait) if wait.part == "train" else None
            async for sight in looks:
                found = await self._owners.own(sight.objects, wait.workspace)
                progress.note_met()
                verdict = judged(wait.part, found.values(), wait.digest)
                last = verdict if verdict.problem or not last.problem else last
                if (verdict.done or (verdict.running and wait.until == "started")) and await sight.holds(found):
                    if training and verdict.done:
                        await training.note_end(found.values())
                    return verdict.done or JobDone()
                # Strictly: the pods of a Job that failed have the same digest as those of the next one.
                problem = verdict.problem or await refused.problem(missing=not found)
                final = standing.final({wait.part: problem} if problem else {}, time.monotonic())
                if problem and final and await sight.holds(found, strictly=True):
                    raise await self._failed(problem, wait, list(found.values()))
                looks.again_s = min(LOOK_S, refused.again_s)
                if training and verdict.running:
                    await training.update(verdict.running, progress)
                else:
                    _report(progress, verdict)
                if not found and (ended := await self._ended_without_pods(wait)):
                    return ended
        raise _too_late(wait, last)

    @signatures.implements(signatures.DELETE_TUNING)
    async def delete_tuning(self, request: TuningKey) -> Undeployed:
        """Deletes Jobs, their pods and ConfigMaps, and the volume if requested. Returns when nothing is left, or, if
        the nodes go next, when the grace of the pods is over. Raises CleanupBlocked that names what is left."""
        key, left = request.workspace, list[str]()
        async with heartbeating() as progress:
            for part in PARTS:
                found = await self._cluster.get("Job", names.tuning_job(key.name, part), key.namespace)
                progress.note_met()
                if found is not None and owned(found, key):
                    left += await self._delete_job(found, key, part, nodes_go=request.nodes_go)
                await delete_ours(self._cluster, "ConfigMap", names.tuning_config_map(key.name, part), key)
            if request.volume:
                await delete_ours(self._cluster, "PersistentVolumeClaim", names.tuning_volume(key.name), key)
        return Undeployed(left=left)

    async def _failed(self, problem: Problem, wait: JobWait, found: list[Object]) -> Exception:
        """With what its pods' containers wrote last: the Job, and its pods with it, is deleted next."""
        logs = await self._words.of(pod for pod in found if digest_of(pod) == wait.digest)
        kept: dict[str, Any] = {"logs": logs} if logs else {}
        return failure(problem.reason, with_last_words(problem, logs), final=True, **kept)

    async def _ended_without_pods(self, wait: JobWait) -> JobDone | None:
        """Pods go with their nodes; the Job records whether they had succeeded. None while new ones are created."""
        key = wait.workspace
        job = await self._cluster.get("Job", names.tuning_job(key.name, wait.part), key.namespace)
        if job is None or not owned(job, key):
            where = f"{key.namespace}/{names.tuning_job(key.name, wait.part)}"
            raise failure("TrainingStopped", f"Job {where} was removed while it ran; it is created again", final=True)
        return JobDone() if job_complete(job) else None

    async def _require_secrets(self, key: WorkspaceKey, wanted: list[str]) -> None:
        for name in wanted:
            if await self._cluster.get("Secret", name, key.namespace) is None:
                message = f"Secret {key.namespace}/{name} is missing: create it with the registry's account"
                raise failure("SecretNotFound", message)

    async def _ensure_volume(self, claim: Object, key: WorkspaceKey) -> None:
        """Creates the claim once; its size is not changed afterwards."""
        if await self._existing("PersistentVolumeClaim", claim, key) is None:
            try:
                await self._cluster.create("PersistentVolumeClaim", claim)
            except ApiException as error:
                if error.status != 409:
                    raise
                await self._existing("PersistentVolumeClaim", claim, key)

    async def _existing(self, kind: str, body: Object, key: WorkspaceKey) -> Object | None:
        found = await self._cluster.get(kind, body["metadata"]["name"], key.namespace)
        require_ours(kind, found, key)
        return found

    async def _delete_job(
        self, job: Object, key: WorkspaceKey, part: TuningPart, *, nodes_go: bool = False
    ) -> list[str]:
        """Returns the pods that outlast their grace if their nodes go next; [] when pods and Job are gone."""
        name, uid = job["metadata"]["name"], job["metadata"]["uid"]
        await self._cluster.delete("Job", name, key.namespace, uid=uid)
        until, selector = datetime.now(UTC) + REPLACE_DEADLINE, _selector(key, part)
        counts, left = partial(is_of_job, job=name), list[str]()
        async with self._view.observe(PODS, key.namespace, selector=selector, until=until) as looks:
            async for sight in looks:
                found = {pod: item for pod, item in sight.objects.items() if counts(item)}
                left = sorted(found)
                if not left and await sight.nothing_left(strictly=True, counts=counts):
                    break
                if nodes_go:
                    looks.again_s = seconds_until_late(found, datetime.now(UTC))
                    if looks.again_s <= 0:
                        return left
        # The garbage collector deletes the Job after its last pod.
        async with self._view.observe(JOBS, key.namespace, selector=selector, until=until) as looks:
            async for sight in looks:
                there = sight.objects.get(name)
                gone = there is None or there["metadata"]["uid"] != uid
                if gone and await sight.holds([name], strictly=True):
                    return []
        message = f"pods of Job {key.namespace}/{name} are still there: {', '.join(left) or 'none'}"
        raise failure("CleanupBlocked", message)


def _is_good(job: Object, digest: str) -> bool:
    annotations = job["metadata"].get("annotations") or {}
    going = "deletionTimestamp" in job["metadata"]
    return annotations.get(labels.CONFIG_HASH) == digest and not job_failed(job) and not going


def _selector(key: WorkspaceKey, part: TuningPart) -> str:
    return f"{labels.WORKSPACE_UID}={key.uid},{labels.COMPONENT}={part}"


def _report(progress: Progress, verdict: Verdict) -> None:
    if verdict.problem:
        progress.report({"reason": verdict.problem.reason, "message": verdict.problem.message})
    elif verdict.running:
        progress.report({"running": verdict.running})


def _too_late(wait: JobWait, last: Verdict) -> Exception:
    if last.problem:
        return failure(last.problem.reason, last.problem.message, final=True)
    what = "start" if wait.until == "started" else "end"
    name = names.tuning_job(wait.workspace.name, wait.part)
    message = f"Job {wait.workspace.namespace}/{name} did not {what} before its deadline. Read its pod's log and events"
    return failure("DeadlineExceeded", message)
