"""Trainings on the whole control plane, their pods simulated: what is lost, refused or deleted on the way."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from activities.clients.kubernetes import Object
from api import labels, names
from api.resource.status import Step
from testing.deadlines import PATIENCE_S
from testing.faults.processes import kill
from testing.leftovers import purchases
from testing.oci.registry import PASSWORD, USER, OciRegistry
from testing.pods.rules import JobRule, PodRules
from testing.stack import Stack
from testing.workspaces import INSTANCE_TYPE, NAMESPACE, Workspaces, condition, is_failed, status_of

DATA: Final = {"digest": "d" * 64, "rows": 30, "usable": 30, "bytes": 4000, "tokens": 900, "tokens_by": "tokenizer"}
TOLD: Final = {"phase": "training", "step": 12, "total_steps": 21, "loss": 0.5, "tokens_per_s": 250.0, "eta_s": 36.0}
TRAINED: Final = {"phase": "complete", "step": 21, "total_steps": 21, "steps_trained": 21, "loss": 0.0123}
MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
MANIFEST: Final = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "layers": []}


@pytest.fixture
def registry(registry_port: int, tmp_path: Path) -> Iterator[OciRegistry]:
    started = OciRegistry(tmp_path / "registry", registry_port).start()
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture
async def secret(workspaces: Workspaces) -> AsyncIterator[str]:
    config = {"auths": {"127.0.0.1": {"auth": b64encode(f"{USER}:{PASSWORD}".encode()).decode()}}}
    body = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "push", "namespace": NAMESPACE},
        "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": json.dumps(config)},
    }  # fmt: skip
    await workspaces.cluster.create("Secret", body)
    yield "push"
    await workspaces.cluster.delete("Secret", "push", NAMESPACE)


def training(name: str, registry: OciRegistry, secret: str) -> Object:
    return {
        "apiVersion": labels.V1BETA1,
        "kind": labels.KIND,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "resource": {"instanceType": INSTANCE_TYPE, "labelSelector": {"matchLabels": {"apps": name}}},
        "tuning": {
            "preset": {"name": "phi-3-mini-128k-instruct"},
            "method": "qlora",
            "input": {"urls": ["https://data.example.com/rows.jsonl"]},
            "output": {"image": image(registry, name), "imagePushSecret": secret},
        },
    }


def image(registry: OciRegistry, name: str) -> str:
    return f"{registry.address}/adapters/{name}:v1"


def pushed(registry: OciRegistry, name: str) -> dict[str, Any]:
    """What the simulated pod says of an image that is really there, and empty."""
    base = f"http://{registry.address}/v2/adapters/{name}"
    with httpx.Client(trust_env=False, timeout=PATIENCE_S) as http:
        config = b"{}"
        digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        begun = http.post(f"{base}/blobs/uploads/")
        http.put(f"{begun.headers['location']}&digest={digest}", content=config).raise_for_status()
        kind = "application/vnd.oci.image.config.v1+json"
        manifest = MANIFEST | {"config": {"mediaType": kind, "digest": digest, "size": len(config)}}
        put = http.put(f"{base}/manifests/v1", json=manifest, headers={"Content-Type": MANIFEST_TYPE})
        found = put.raise_for_status().headers["docker-content-digest"]
    there = image(registry, name)
    return {"image": there, "digest": found, "pinned": f"{there.rpartition(':')[0]}@{found}", "bytes": 2}


def jobs(published: dict[str, Any], **changes: JobRule) -> PodRules:
    """Rules for the three parts; `changes` replace them by part."""
    rules = {
        "fetch": JobRule(component="fetch", message=json.dumps(DATA)),
        "train": JobRule(component="train", seconds=2, message=json.dumps(TRAINED), progress=TOLD),
        "publish": JobRule(component="publish", message=json.dumps(published)),
    } | changes
    return PodRules(jobs=list(rules.values()))


def has_succeeded(found: Object) -> bool:
    status = status_of(found)
    newest = status.get("observedGeneration") == found["metadata"]["generation"]
    return newest and status.get("phase") == "Succeeded"


async def succeeded(workspaces: Workspaces, name: str, within_s: float = PATIENCE_S) -> Object:
    return (await workspaces.until([name], has_succeeded, within_s=within_s))[name]


def progress_and_state_are_told(found: Object) -> bool:
    """The two have writers of their own; neither waits for the other."""
    return bool(status_of(found).get("training")) and status_of(found).get("state") == "Running"


async def test_an_adapter_is_published_after_its_nodes_are_gone(
    stack: Stack, workspaces: Workspaces, registry: OciRegistry, secret: str
) -> None:
    published = pushed(registry, "whole")
    slow = JobRule(component="train", seconds=15, message=json.dumps(TRAINED), progress=TOLD)
    stack.set_pods(jobs(published, train=slow))
    uids = await workspaces.create(training("whole", registry, secret))
    under_way = await workspaces.until(["whole"], progress_and_state_are_told)
    told = status_of(under_way["whole"])
    assert (told["phase"], told["training"]["step"]) == ("Training", 12)
    assert (told["training"]["loss"], told["training"]["etaSeconds"]) == ("0.5000", 36)
    assert condition(under_way["whole"], "JobStarted")["status"] == "True"
    status = status_of(await succeeded(workspaces, "whole"))
    assert status["state"] == "Succeeded"
    assert (status["data"]["rows"], status["adapter"]["digest"]) == (30, published["digest"])
    assert status["training"]["phase"] == "complete"
    steps = {record.step: record for record in (await workspaces.progress("whole")).status.steps}
    released_at = steps[Step.RELEASE_NODES].ended
    assert released_at is not None
    job = await workspaces.cluster.get("Job", "whole-publish", NAMESPACE)
    assert job is not None
    pushed_at = datetime.fromisoformat(job["metadata"]["creationTimestamp"])
    assert pushed_at >= released_at.replace(microsecond=0)
    assert purchases(stack, names.pool_name(uids["whole"])) == 1


async def test_a_worker_that_is_killed_while_it_trains_changes_nothing(
    stack: Stack, workspaces: Workspaces, registry: OciRegistry, secret: str
) -> None:
    stack.set_pods(jobs(pushed(registry, "killed"), train=JobRule(component="train", seconds=6)))
    uids = await workspaces.create(training("killed", registry, secret))
    await workspaces.until_running("killed", "wait_for_tuning_job")
    await workspaces.until(["killed"], lambda found: status_of(found).get("phase") == "Training")
    kill(stack, "worker-cluster")
    stack.start_again("worker-cluster")
    await succeeded(workspaces, "killed")
    assert purchases(stack, names.pool_name(uids["killed"])) == 1


async def test_a_training_that_crashes_goes_on_and_one_that_diverges_ends_with_its_reason(
    stack: Stack, workspaces: Workspaces, registry: OciRegistry, secret: str
) -> None:
    crash = json.dumps({"reason": "TrainingCrashed", "message": "Killed"})
    nan = json.dumps({"reason": "TrainingDiverged", "message": "the loss of step 7 is NaN; lower learning_rate"})
    rules = jobs(pushed(registry, "crashes"))
    crashing = JobRule(workspace="crashes", component="train", failures=3, exit_code=62, failure_message=crash)
    diverging = JobRule(workspace="diverges", component="train", failures=99, exit_code=50, failure_message=nan)
    stack.set_pods(rules.model_copy(update={"jobs": [crashing, diverging, *rules.jobs]}))
    await workspaces.create(training("crashes", registry, secret), training("diverges", registry, secret))
    failed = (await workspaces.until(["diverges"], is_failed))["diverges"]
    assert status_of(failed)["reason"] == "TrainingDiverged"
    assert "step 7" in status_of(failed)["message"] and status_of(failed)["state"] == "Failed"
    assert condition(failed, "JobStarted")["reason"] == "WorkspaceTuningJobStatusFailed"
    assert await workspaces.cluster.get("PersistentVolumeClaim", "diverges-tuning", NAMESPACE) is not None
    assert await workspaces.cluster.get("Job", "diverges", NAMESPACE) is None
    await succeeded(workspaces, "crashes")


async def test_a_refused_push_costs_no_gpu_and_a_corrected_secret_is_enough(
    stack: Stack, workspaces: Workspaces, registry: OciRegistry, secret: str
) -> None:
    words = f"Secret {secret} may not push to {registry.address}"
    refused = json.dumps({"reason": "PushForbidden", "message": words})
    no = JobRule(component="publish", failures=99, exit_code=70, failure_message=refused)
    stack.set_pods(jobs(published := pushed(registry, "refused"), publish=no))
    uids = await workspaces.create(training("refused", registry, secret))
    kept = await workspaces.until(["refused"], lambda found: status_of(found).get("reason") == "PushForbidden")
    status = status_of(kept["refused"])
    assert status["phase"] == "Publishing" and words in status["message"] and "the adapter is kept" in status["message"]
    assert [pool for pool in stack.arm.state()["pools"] if pool != "system"] == []
    stack.set_pods(jobs(published))
    await workspaces.handle("refused").execute_update("retry")
    await succeeded(workspaces, "refused")
    assert purchases(stack, names.pool_name(uids["refused"])) == 1


async def test_bad_data_is_told_before_anything_is_bought(
    stack: Stack, workspaces: Workspaces, registry: OciRegistry, secret: str
) -> None:
    words = "rows.jsonl: row 3: column prompt is empty"
    bad = json.dumps({"reason": "DataEmpty", "message": words})
    stack.set_pods(jobs({}, fetch=JobRule(component="fetch", failures=99, exit_code=40, failure_message=bad)))
    uids = await workspaces.create(training("bad", registry, secret))
    failed = (await workspaces.until(["bad"], is_failed))["bad"]
    assert status_of(failed)["reason"] == "DataEmpty" and words in status_of(failed)["message"]
    assert purchases(stack, names.pool_name(uids["bad"])) == 0


@pytest.mark.parametrize("step", ["FetchData", "ProvisionNodes", "Train", "Publish"])
async def test_a_delete_in_any_step_leaves_nothing(
    stack: Stack, workspaces: Workspaces, registry: OciRegistry, secret: str, step: str
) -> None:
    part = {"FetchData": "fetch", "Train": "train", "Publish": "publish"}.get(step)
    endless = {part: JobRule(component=part, seconds=300)} if part else {}
    stack.set_pods(jobs(pushed(registry, "deleted"), **endless))
    if not part:
        stack.arm.change_settings(create_seconds=20)
    await workspaces.create(training("deleted", registry, secret))
    await workspaces.until(["deleted"], lambda found: status_of(found).get("step") == step)
    await workspaces.until_running("deleted", "wait_for_tuning_job" if part else "ensure_node_pool")
    await workspaces.delete("deleted")
    await workspaces.until_gone("deleted")
    for kind, name in [("Job", "deleted"), ("Job", "deleted-fetch"), ("Job", "deleted-publish")]:
        assert await workspaces.cluster.get(kind, name, NAMESPACE) is None
    assert await workspaces.cluster.get("PersistentVolumeClaim", "deleted-tuning", NAMESPACE) is None
