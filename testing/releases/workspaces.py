"""The Workspaces that live through an upgrade: two presets and a pod template that serve, and a training.

Also what is asked of them meanwhile, and how they are. Following them until they serve is left to `deploy/local/demo`.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from deploy.local.cluster.kubectl import kubectl, kubectl_json
from deploy.local.demo import demo
from deploy.local.demo.chat import ask_model
from deploy.local.layout import Layout
from deploy.local.services.pods import pod_status
from testing.admin_api import ask_admin
from testing.applied import own_server, workspace, written
from testing.deadlines import PATIENCE_S

MODEL: Final = "smollm2-135m-instruct"
PRESETS: Final = ("served-one", "served-two")
TEMPLATE: Final = "served-own"
SERVED: Final = (*PRESETS, TEMPLATE)
TRAINED: Final = "tune-facts"
EPOCHS: Final = 20
"""Enough that the training outlives both rollouts."""


def serving(stack: Layout) -> list[Path]:
    """Writes the Workspaces that serve; returns their files."""
    documents = [*map(workspace, PRESETS), workspace(TEMPLATE, own_server(stack))]
    return [written(stack, document["metadata"]["name"], [document]) for document in documents]


def training(stack: Layout) -> Path:
    """Writes the example of a training, which takes longer here."""
    documents = list(yaml.safe_load_all(demo.example(stack, TRAINED).read_text()))
    [config] = [document for document in documents if document["kind"] == "ConfigMap"]
    settings = yaml.safe_load(config["data"]["training_config.yaml"])
    settings["training_config"]["TrainingArguments"]["num_train_epochs"] = EPOCHS
    config["data"]["training_config.yaml"] = yaml.safe_dump(settings)
    return written(stack, "long-training", documents)


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


def pods(stack: Layout) -> dict[str, tuple[str, int]]:
    """Of all Workspaces, by name: uid, and how often a container was restarted."""
    found = kubectl_json(stack.admin_kubeconfig, "get", "pods", "-l", "kaito.sh/workspace")["items"]
    return {pod["metadata"]["name"]: (pod["metadata"]["uid"], pod_status(pod).restarts) for pod in found}


def progress(stack: Layout) -> dict[str, Any]:
    """Of the training, as its status has it; raises AssertionError if it has failed."""
    status = kubectl_json(stack.admin_kubeconfig, "get", "workspace", TRAINED).get("status") or {}
    assert status.get("phase") != "Failed", status
    found: dict[str, Any] = status.get("training") or {}
    return found


def await_step(stack: Layout, step: int) -> int:
    """Returns the step at which the training is, once it is this one. Raises AssertionError."""
    ends = time.monotonic() + demo.READY_S
    while (found := progress(stack).get("step", 0)) < step:
        assert time.monotonic() < ends, f"the training is at step {found}, not at {step}"
        time.sleep(0.5)
    return int(found)
