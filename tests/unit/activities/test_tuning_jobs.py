"""When a training's Job is made, kept, replaced, waited for and taken away, and what each refusal is called."""

import asyncio
import json
from datetime import timedelta
from typing import Any, Final

import pytest
from kubernetes.aio.client.exceptions import ApiException
from temporalio.exceptions import ApplicationError

from activities.clients.kubernetes import Object
from activities.clients.view.cluster_view import ClusterView
from activities.contract.tuning import JobApplied, JobDone, JobRequest, JobWait, TuningKey, TuningPart
from activities.manifests.tuning import TuningPodSettings
from activities.tuning.jobs import TuningJobs
from api import labels, names
from testing.deadlines import PATIENCE_S
from testing.pods.inputs import IMAGES, NO_CONTROLLER, PINNED
from tests.builders import a_plan
from tests.fakes.cluster import FakeCluster
from tests.integration.nodes.attempts import Attempt, done, refused

PLAN: Final = a_plan(kind="tuning", method="lora", output_image="registry/out:1", output_secret="push", volume_gib=10)
KEY: Final = PLAN.key
AROUND: Final = TuningPodSettings(tune_image="tune:1", data_image="data:1")
JOB, CONFIG = names.tuning_job(KEY.name, "fetch"), names.tuning_config_map(KEY.name, "fetch")
VOLUME: Final = names.tuning_volume(KEY.name)
DIGEST: Final = "digest-1"


def metadata(name: str, **more: Any) -> Object:
    return {"name": name, "namespace": KEY.namespace, "ownerReferences": [{"uid": KEY.uid}]} | more


def a_workspace(**tuning: Any) -> Object:
    section = {
        "preset": {"name": "phi-3-mini-128k-instruct"},
        "method": "lora",
        "input": {"urls": ["https://data.example.com/rows.jsonl"]},
        "output": {"image": "registry.example.com/out:v1", "imagePushSecret": "push"},
    }
    return {
        "apiVersion": labels.V1BETA1,
        "kind": labels.KIND,
        "metadata": {"name": KEY.name, "namespace": KEY.namespace, "uid": KEY.uid},
        "resource": {"instanceType": PLAN.instance_type, "labelSelector": {"matchLabels": {"apps": "w"}}},
        "tuning": section | tuning,
    }


def a_job(digest: str = DIGEST, **status: Any) -> Object:
    return {"metadata": metadata(JOB, annotations={labels.CONFIG_HASH: digest}), "status": status}


def a_pod(name: str = "pod-1", part: TuningPart = "fetch", digest: str = DIGEST, **state: Any) -> Object:
    """`state` is the container's: running, waiting or terminated."""
    own = {labels.WORKSPACE_UID: KEY.uid, labels.COMPONENT: part}
    succeeded = state.get("terminated", {}).get("exitCode") == 0
    job = names.tuning_job(KEY.name, part)
    controller = {"kind": "Job", "name": job, "uid": f"uid-{job}", "controller": True}
    return {
        "metadata": metadata(name, labels=own, annotations={labels.CONFIG_HASH: digest}, ownerReferences=[controller]),
        "status": {
            "phase": "Succeeded" if succeeded else "Running",
            "containerStatuses": [{"name": part, "restartCount": 0, "state": state}],
        },
    }


def jobs(cluster: FakeCluster) -> TuningJobs:
    return TuningJobs(ClusterView(cluster), IMAGES, AROUND, first_pods=NO_CONTROLLER)


def request(part: TuningPart = "fetch") -> JobRequest:
    return JobRequest(plan=PLAN, part=part, pinned=PINNED)


async def ensured(cluster: FakeCluster, part: TuningPart = "fetch") -> JobApplied:
    return await done(jobs(cluster).ensure_tuning_job, request(part))


def waiting(cluster: FakeCluster, limit: timedelta = timedelta(hours=1), **wait: Any) -> Attempt:
    asked = JobWait(**({"workspace": KEY, "part": "fetch", "digest": DIGEST} | wait))
    return Attempt(jobs(cluster).wait_for_tuning_job, asked, limit)


async def outcome(attempt: Attempt) -> JobDone:
    found: JobDone = await asyncio.wait_for(attempt.task, PATIENCE_S)
    return found


async def trouble(attempt: Attempt) -> ApplicationError:
    with pytest.raises(ApplicationError) as error:
        await asyncio.wait_for(attempt.task, PATIENCE_S)
    return error.value


async def test_a_job_is_created_once_with_its_volume_and_config_map() -> None:
    cluster = FakeCluster(Workspace=a_workspace())
    made = await ensured(cluster)
    assert (cluster.names("Job"), cluster.names("ConfigMap")) == ([JOB], [CONFIG])
    assert cluster.names("PersistentVolumeClaim") == [VOLUME]
    assert await ensured(cluster) == made
    assert cluster.calls["create", "Job"] == cluster.calls["create", "PersistentVolumeClaim"] == 1


async def test_a_job_of_another_plan_is_deleted_first() -> None:
    cluster = FakeCluster(Workspace=a_workspace(), Job=a_job("of an older plan"))
    made = await ensured(cluster)
    assert cluster.calls["delete", "Job"] == cluster.calls["create", "Job"] == 1
    now = await cluster.get("Job", JOB, KEY.namespace)
    assert now is not None and now["metadata"]["annotations"][labels.CONFIG_HASH] == made.digest


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"status": {"conditions": [{"type": "Failed", "status": "True"}]}}, id="failed"),
        pytest.param({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}, id="going"),
    ],
)
async def test_a_failed_or_deleted_job_of_this_plan_is_created_again(changes: dict[str, Object]) -> None:
    cluster = FakeCluster(Workspace=a_workspace())
    made = await ensured(cluster)
    there = await cluster.get("Job", JOB, KEY.namespace)
    assert there is not None
    await cluster.put("Job", there | {key: there.get(key, {}) | value for key, value in changes.items()})
    assert await ensured(cluster) == made
    assert (cluster.calls["delete", "Job"], cluster.calls["create", "Job"]) == (1, 2)
    now = await cluster.get("Job", JOB, KEY.namespace)
    assert now is not None and "status" not in now and "deletionTimestamp" not in now["metadata"]


async def test_the_next_job_waits_for_the_last_pod_of_the_one_before() -> None:
    cluster = FakeCluster(Workspace=a_workspace(), Job=a_job("old"), Pod=a_pod(digest="old", running={}))
    attempt = Attempt(jobs(cluster).ensure_tuning_job, request())
    async with asyncio.timeout(PATIENCE_S):
        while not cluster.calls["watch", "Pod"]:
            await asyncio.sleep(0)
    assert cluster.names("Job") == [] and not attempt.task.done()
    await cluster.delete("Pod", "pod-1", KEY.namespace)
    await asyncio.wait_for(attempt.task, PATIENCE_S)
    assert cluster.names("Job") == [JOB]


async def test_a_volume_created_at_the_same_moment_is_used() -> None:
    cluster = FakeCluster(Workspace=a_workspace())
    cluster.fail_next("create", ApiException(status=409))
    await ensured(cluster)
    assert cluster.names("Job") == [JOB]


@pytest.mark.parametrize(
    ("objects", "part", "reason"),
    [
        pytest.param({}, "fetch", "WorkspaceGone", id="no Workspace"),
        pytest.param({"Workspace": a_workspace()}, "publish", "SecretNotFound", id="no Secret"),
        pytest.param({"Workspace": a_workspace(config="mine")}, "fetch", "ConfigNotFound", id="no ConfigMap"),
        pytest.param(
            {"Workspace": a_workspace(), "Job": {"metadata": {"name": JOB, "namespace": KEY.namespace}}},
            "fetch", "OwnershipConflict", id="somebody else's Job",
        ),
        pytest.param(
            {
                "Workspace": a_workspace(),
                "PersistentVolumeClaim": {"metadata": {"name": VOLUME, "namespace": KEY.namespace}},
            },
            "fetch", "OwnershipConflict", id="somebody else's volume",
        ),
    ],
)  # fmt: skip
async def test_a_missing_or_foreign_object_is_reported_and_no_job_is_created(
    objects: dict[str, Any], part: TuningPart, reason: str
) -> None:
    cluster = FakeCluster(**objects)
    assert (await refused(jobs(cluster).ensure_tuning_job, request(part))).type == reason
    assert cluster.calls["create", "Job"] == 0


async def test_a_wait_for_the_start_ends_when_the_program_runs() -> None:
    cluster = FakeCluster(Job=a_job(), Pod=a_pod(waiting={"reason": "ContainerCreating"}))
    attempt = waiting(cluster, until="started")
    async with asyncio.timeout(PATIENCE_S):
        while not cluster.calls["watch", "Pod"]:
            await asyncio.sleep(0)
    assert not attempt.task.done()
    await cluster.put("Pod", a_pod(running={}))
    assert await outcome(attempt) == JobDone()


async def test_a_wait_for_the_end_returns_what_the_program_reported() -> None:
    report = json.dumps({"digest": "sha256:abc", "rows": 7})
    found = await outcome(waiting(FakeCluster(Job=a_job(), Pod=a_pod(terminated={"exitCode": 0, "message": report}))))
    assert found.data is not None and (found.data.digest, found.data.rows) == ("sha256:abc", 7)


async def test_pods_of_another_plan_are_ignored() -> None:
    other = a_pod(digest="old", terminated={"exitCode": 0})
    attempt = waiting(FakeCluster(Job=a_job(), Pod=other), timedelta(seconds=8))
    error = await trouble(attempt)
    assert error.type == "DeadlineExceeded" and "did not end before its deadline" in error.message


async def test_a_final_problem_is_raised_at_once_with_the_pods_message() -> None:
    report = json.dumps({"reason": "DataEmpty", "message": "no row is left"})
    pod = a_pod(terminated={"exitCode": 1, "message": report})
    error = await trouble(waiting(FakeCluster(Job=a_job(), Pod=pod)))
    assert error.type == "DataEmpty" and error.non_retryable and "no row is left" in error.message


async def test_a_problem_that_lasts_is_the_reason_at_the_deadline() -> None:
    pod = a_pod(waiting={"reason": "ImagePullBackOff", "message": "denied"})
    attempt = waiting(FakeCluster(Job=a_job(), Pod=pod), timedelta(seconds=8))
    error = await trouble(attempt)
    assert error.type == "ImagePullError" and "denied" in error.message
    assert attempt.beats[-1][0]["reason"] == "ImagePullError"


async def test_a_job_that_ended_well_and_lost_its_pods_with_their_node_is_done() -> None:
    cluster = FakeCluster(Job=a_job(conditions=[{"type": "Complete", "status": "True"}]))
    assert await outcome(waiting(cluster)) == JobDone()


@pytest.mark.parametrize("there", [{}, {"Job": {"metadata": {"name": JOB, "namespace": KEY.namespace}}}])
async def test_a_deleted_job_fails_with_training_stopped(there: dict[str, Any]) -> None:
    error = await trouble(waiting(FakeCluster(**there)))
    assert error.type == "TrainingStopped" and error.non_retryable


@pytest.mark.parametrize("volume", [False, True])
async def test_a_clean_up_deletes_everything_of_ours_and_the_volume_only_on_request(volume: bool) -> None:
    cluster = FakeCluster(
        Job=a_job(), ConfigMap={"metadata": metadata(CONFIG)}, PersistentVolumeClaim={"metadata": metadata(VOLUME)}
    )
    await done(jobs(cluster).delete_tuning, TuningKey(workspace=KEY, volume=volume))
    assert cluster.names("Job") == cluster.names("ConfigMap") == []
    assert cluster.names("PersistentVolumeClaim") == ([] if volume else [VOLUME])


async def test_a_clean_up_leaves_objects_of_other_owners() -> None:
    others = {"metadata": {"name": JOB, "namespace": KEY.namespace}}
    cluster = FakeCluster(Job=others, ConfigMap={"metadata": {"name": CONFIG, "namespace": KEY.namespace}})
    await done(jobs(cluster).delete_tuning, TuningKey(workspace=KEY, volume=True))
    assert (cluster.names("Job"), cluster.names("ConfigMap")) == ([JOB], [CONFIG])
