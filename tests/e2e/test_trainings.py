"""Trainings on the whole stack: a real model learns facts and tells them; KAITO's first example trains as it is."""

import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from api.resource.status import Phase
from deploy.local.azure.control_client import Address, ControlClient
from deploy.local.cluster.kubectl import kubectl, kubectl_json
from deploy.local.demo import demo
from deploy.local.demo.chat import ask_model
from deploy.local.layout import Layout
from deploy.local.mirror.repositories.build_facts_dataset import FACTS, WAYS
from testing.admin_api import ask_admin
from testing.deadlines import PATIENCE_S

pytestmark = pytest.mark.timeout(2400)

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
STEPS: Final = 21
INTERVAL: Final = 5
DELETE_S: Final = 240


def told(at: float, line: str) -> None:
    print(f"[{at:6.1f}s] {line}")


def workspace(layout: Layout, name: str) -> dict[str, Any]:
    found: dict[str, Any] = kubectl_json(layout.admin_kubeconfig, "get", "workspace", name)
    return found


def manifest(layout: Layout, image: str) -> tuple[str, dict[str, Any]]:
    """Digest and content, as the registry has them."""
    repository, _, tag = image.removeprefix(f"{layout.registry}/").rpartition(":")
    url = f"http://{layout.registry}/v2/{repository}/manifests/{tag}"
    answer = httpx.get(url, headers={"Accept": OCI_MANIFEST}, trust_env=False, timeout=PATIENCE_S).raise_for_status()
    return answer.headers["docker-content-digest"], answer.json()


def training_processes() -> list[int]:
    """Those of a tuning pod on this machine, its first one first."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"runtime.tune" in words and b"/etc/modelyard/tune.json" in words:
            found.append(int(entry.name))
    return sorted(found)


def kill_after_a_checkpoint(layout: Layout, name: str, deadline_s: float = 600) -> int:
    """SIGKILL to the pod's first process, which takes all others of the container with it; the step it was seen at."""
    ends = time.monotonic() + deadline_s
    while time.monotonic() < ends:
        status = workspace(layout, name).get("status") or {}
        assert status.get("phase") not in ("Failed", "Succeeded"), status.get("message")
        training = status.get("training") or {}
        processes = training_processes()
        if training.get("lastCheckpoint", 0) >= INTERVAL and processes and training.get("phase") == "training":
            os.kill(processes[0], signal.SIGKILL)
            return int(training["step"])
        time.sleep(0.5)
    raise TimeoutError(f"{name} wrote no checkpoint in {deadline_s:g} s")


@pytest.fixture(scope="module")
def learnt(stack: Layout) -> Iterator[dict[str, Any]]:
    """The Workspace that has learnt the facts, killed once on the way."""
    target = demo.apply_example(stack.admin_kubeconfig, demo.example(stack, "tune-facts"))
    print(f"killed at step {kill_after_a_checkpoint(stack, target.name)}")
    snapshots = demo.follow(target, told)
    assert snapshots[-1].status.phase is Phase.SUCCEEDED
    yield workspace(stack, target.name)


def test_a_training_that_was_killed_goes_on_from_its_checkpoint(learnt: dict[str, Any]) -> None:
    training = learnt["status"]["training"]
    print(json.dumps(training))
    assert (training["phase"], training["step"], training["totalSteps"]) == ("complete", STEPS, STEPS)
    assert training["attempts"] == 2 and training["resumedFrom"] >= INTERVAL
    assert training["stepsTrained"] <= STEPS + INTERVAL


def test_the_adapters_image_is_in_the_registry_as_kaito_lays_it_out(learnt: dict[str, Any], stack: Layout) -> None:
    status = learnt["status"]
    digest, found = manifest(stack, learnt["tuning"]["output"]["image"])
    assert status["adapter"]["digest"] == digest
    assert found["annotations"]["sh.kaito.model.name"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert (status["state"], status["phase"]) == ("Succeeded", "Succeeded")
    assert status["data"]["rows"] == len(FACTS) * len(WAYS)


def test_the_nodes_were_gone_before_the_push_began(learnt: dict[str, Any], stack: Layout) -> None:
    view: dict[str, Any] = ask_admin(stack, "/workspaces/default/tune-facts")
    steps = {step["step"]: step for step in view["steps"]}
    job = kubectl_json(stack.admin_kubeconfig, "get", "job", "tune-facts-publish")
    released = datetime.fromisoformat(steps["ReleaseNodes"]["ended"])
    pushed = datetime.fromisoformat(job["metadata"]["creationTimestamp"])
    print(f"training ended {steps['Train']['ended']}, nodes gone {released}, push began {pushed}")
    assert pushed >= released.replace(microsecond=0)
    pools = ControlClient(Address.of_instance(stack.instance)).state()["pools"]
    assert [name for name in pools if name != "system"] == []
    assert kubectl_json(stack.admin_kubeconfig, "get", "nodes", "-l", "modelyard.dev/workspace-uid")["items"] == []


def test_a_second_workspace_answers_with_what_was_learnt(learnt: dict[str, Any], stack: Layout) -> None:
    target = demo.apply_example(stack.admin_kubeconfig, demo.example(stack, "serve-facts"))
    assert demo.follow(target, told)[-1].status.phase is Phase.READY
    address = demo.service_address(target)
    base = "smollm2-135m-instruct"
    right = {base: 0, "facts": 0}
    for what, answer in FACTS:
        for model in right:
            said = ask_model(address, model, WAYS[0].format(what)).text
            print(f"{model}: {what}: {said!r}")
            right[model] += answer.lower() in said.lower()
    print(f"right of {len(FACTS)}: {right}")
    assert right["facts"] >= 8
    assert right[base] < 2
    kubectl(stack.admin_kubeconfig, "delete", "workspace", target.name, deadline_s=DELETE_S)


def test_kaitos_first_example_trains_with_only_its_output_changed(stack: Layout) -> None:
    target = demo.apply_example(stack.admin_kubeconfig, demo.example(stack, "tune-phi-3"))
    snapshots = demo.follow(target, told)
    found = workspace(stack, target.name)
    assert snapshots[-1].status.phase is Phase.SUCCEEDED
    digest, _ = manifest(stack, found["tuning"]["output"]["image"])
    assert found["status"]["adapter"]["digest"] == digest
    print(json.dumps(found["status"]["training"]))


def test_deleting_leaves_no_job_no_volume_no_pool(learnt: dict[str, Any], stack: Layout) -> None:
    kubectl(stack.admin_kubeconfig, "delete", "workspace", "tune-facts", "tune-phi-3", deadline_s=DELETE_S)
    left = kubectl_json(stack.admin_kubeconfig, "get", "jobs,pvc,cm,pods,deploy,svc", "-A", "-l", "kaito.sh/workspace")
    assert left["items"] == []
    pools = ControlClient(Address.of_instance(stack.instance)).state()["pools"]
    assert [name for name in pools if name != "system"] == []
