"""The chart is upgraded to another image of the control plane and rolled back, while Workspaces serve and one trains.

Nobody who is served may notice: no request fails, no pod of a Workspace restarts, nothing is bought, the training goes
on; Workspaces are admitted all the while.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml

from deploy.local.azure.control_client import Address, ControlClient
from deploy.local.cluster.kubectl import kubectl, kubectl_json
from deploy.local.demo import demo
from deploy.local.demo.chat import ask_model
from deploy.local.host.commands import run_logged
from deploy.local.images.contents import CONTROL_PLANE
from deploy.local.images.images import layout_of
from deploy.local.images.push import Registry, blob, manifest_of
from deploy.local.kubernetes.helm import ensure_helm
from deploy.local.layout import Layout
from deploy.local.services.chart import CHART, RELEASE, helm_argv, helm_environment
from deploy.local.services.pods import pod_status, read_pods
from deploy.local.stack.choices import recall
from testing.admin_api import ask_admin
from testing.deadlines import PATIENCE_S
from testing.steady_load import Count, steady_load
from tests.e2e.documents import own_server, workspace, written

pytestmark = pytest.mark.timeout(3000)

MODEL: Final = "smollm2-135m-instruct"
PRESETS: Final = ("served-one", "served-two")
TEMPLATE: Final = "served-own"
TRAINED: Final = "tune-facts"
EPOCHS: Final = 20
"""Enough that the training outlives both rollouts."""
TRAINED_S: Final = 2400
PAUSE_S: Final = 0.2
HELM_S: Final = 600
DELETE_S: Final = 240
ANOTHER: Final = "another"
"""Tag of the second image."""


def told(at: float, line: str) -> None:
    print(f"[{at:6.1f}s] {line}")


def long_training(stack: Layout) -> Path:
    documents = list(yaml.safe_load_all(demo.example(stack, TRAINED).read_text()))
    [config] = [document for document in documents if document["kind"] == "ConfigMap"]
    settings = yaml.safe_load(config["data"]["training_config.yaml"])
    settings["training_config"]["TrainingArguments"]["num_train_epochs"] = EPOCHS
    config["data"]["training_config.yaml"] = yaml.safe_dump(settings)
    return written(stack, "long-training", documents)


def push_another_image(stack: Layout) -> None:
    """The control plane's image once more, with a label: the same layers, another digest."""
    built = layout_of(stack, CONTROL_PLANE)
    assert built is not None
    descriptor = manifest_of(built)
    manifest = json.loads(blob(built, descriptor["digest"]).read_bytes())
    config = json.loads(blob(built, manifest["config"]["digest"]).read_bytes())
    config["config"].setdefault("Labels", {})["org.opencontainers.image.version"] = ANOTHER
    content = json.dumps(config).encode()
    manifest["config"] |= {"digest": f"sha256:{hashlib.sha256(content).hexdigest()}", "size": len(content)}
    registry = Registry(stack.registry, CONTROL_PLANE.repository)
    registry.put_blob(manifest["config"]["digest"], content)
    registry.put_manifest(ANOTHER, json.dumps(manifest).encode(), descriptor["mediaType"])


def helm(stack: Layout, *arguments: str) -> None:
    log = stack.logs / "chart.log"
    program = ensure_helm(stack.cache, log, lambda words: None)
    argv = [*helm_argv(stack, program, *arguments), "--wait", "--timeout", f"{HELM_S}s"]
    run_logged(argv, log, deadline_s=HELM_S + 30, env=helm_environment(stack))


def control_plane_images(stack: Layout) -> set[str]:
    """What the pods run that are there to stay."""
    statuses = [status for pod in read_pods(stack.admin_kubeconfig) for status in pod["status"]["containerStatuses"]]
    return {status["imageID"].rpartition("@")[2] for status in statuses}


def pods_of_workspaces(stack: Layout) -> dict[str, tuple[str, int]]:
    """By name: uid, and how often a container was restarted."""
    found = kubectl_json(stack.admin_kubeconfig, "get", "pods", "-l", "kaito.sh/workspace")["items"]
    return {pod["metadata"]["name"]: (pod["metadata"]["uid"], pod_status(pod).restarts) for pod in found}


def training(stack: Layout) -> dict[str, Any]:
    status = kubectl_json(stack.admin_kubeconfig, "get", "workspace", TRAINED).get("status") or {}
    assert status.get("phase") != "Failed", status
    found: dict[str, Any] = status.get("training") or {}
    return found


def await_step(stack: Layout, step: int) -> dict[str, Any]:
    ends = time.monotonic() + demo.READY_S
    while (found := training(stack)).get("step", 0) < step:
        assert time.monotonic() < ends, f"the training is not at step {step}: {found}"
        time.sleep(0.5)
    return found


@pytest.fixture(scope="module")
def living(stack: Layout) -> Iterator[Layout]:
    """Three Workspaces that serve and one that trains."""
    if not (choices := recall(stack.instance)) or not choices.pods:
        pytest.skip("this Kubernetes is too old for the chart")
    push_another_image(stack)
    documents = [*map(workspace, PRESETS), workspace(TEMPLATE, own_server(stack))]
    targets = [
        demo.apply_example(stack.admin_kubeconfig, written(stack, each["metadata"]["name"], [each]))
        for each in documents
    ]
    for target in targets:
        demo.follow(target, told)
    demo.apply_example(stack.admin_kubeconfig, long_training(stack))
    await_step(stack, 1)
    yield stack
    kubectl(stack.admin_kubeconfig, "delete", "workspace", "--all", deadline_s=DELETE_S)


def questions(stack: Layout) -> dict[str, Callable[[], object]]:
    """To each model, to the pod template's server, to the admin service, and to the webhook through the API server."""

    def address(name: str) -> str:
        return demo.service_address(demo.Target(stack.admin_kubeconfig, "default", name))

    def model(name: str) -> Callable[[], object]:
        at = address(name)
        return lambda: ask_model(at, MODEL, "Yes or no?")

    def get(url: str) -> Callable[[], object]:
        return lambda: httpx.get(url, trust_env=False, timeout=PATIENCE_S).raise_for_status()

    new = written(stack, "admitted", [workspace("admitted")])
    asked = {name: model(name) for name in PRESETS}
    asked[TEMPLATE] = get(f"http://{address(TEMPLATE)}/")
    asked["admin"] = lambda: ask_admin(stack, f"/workspaces/default/{TEMPLATE}")
    asked["admission"] = lambda: kubectl(stack.admin_kubeconfig, "create", "--dry-run=server", "-f", str(new))
    return asked


@pytest.fixture(scope="module")
def seen(living: Layout) -> dict[str, Any]:
    """What an upgrade and a rollback did to everybody."""
    stack = living
    arm = ControlClient(Address.of_instance(stack.instance))
    pods, bought, images = pods_of_workspaces(stack), arm.calls()["PUT agentPool"], [control_plane_images(stack)]
    steps, took = [training(stack)["step"]], []
    with steady_load(questions(stack), PAUSE_S) as counts:
        for command in (
            ("upgrade", RELEASE, str(CHART), "--reuse-values", "--set", f"image.controlPlane.tag={ANOTHER}"),
            ("rollback", RELEASE),
        ):
            began = time.monotonic()
            helm(stack, *command)
            took.append(round(time.monotonic() - began, 1))
            images.append(control_plane_images(stack))
            steps.append(await_step(stack, steps[-1] + 1)["step"])
    print(f"rollouts took {took} s; training at steps {steps}")
    print({name: (count.answered, count.failed) for name, count in counts.items()})
    after = pods_of_workspaces(stack)
    return {
        "counts": counts, "images": images, "before": pods, "after": after,
        "bought": arm.calls()["PUT agentPool"] - bought,
    }  # fmt: skip


def test_the_control_plane_was_another_one_and_is_the_first_again(seen: dict[str, Any]) -> None:
    first, second, third = seen["images"]
    assert len(first) == len(second) == 1
    assert first != second and third == first


def test_no_request_failed(seen: dict[str, Any]) -> None:
    counts: dict[str, Count] = seen["counts"]
    assert {name: count.failed for name, count in counts.items() if count.failed} == {}
    assert all(count.answered > 0 for count in counts.values())


def test_no_pod_was_replaced_or_restarted_and_nothing_was_bought(seen: dict[str, Any]) -> None:
    assert {name: seen["after"].get(name) for name in seen["before"]} == seen["before"]
    assert {restarts for _, restarts in seen["before"].values()} == {0}
    assert seen["bought"] == 0


def test_the_training_goes_on_to_its_end(seen: dict[str, Any], living: Layout) -> None:
    target = demo.Target(living.admin_kubeconfig, "default", TRAINED)
    demo.follow(target, told, deadline_s=TRAINED_S)
    found = training(living)
    assert (found["phase"], found["attempts"], found["step"]) == ("complete", 1, found["totalSteps"])
    assert found["stepsTrained"] == found["totalSteps"]
