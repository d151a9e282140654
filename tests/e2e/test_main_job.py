"""The demo's path on the whole stack: apply, nodes bought, a real model serves, chat, delete, nothing left."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from api import names
from deploy.local.azure.control_client import Address, ControlClient
from deploy.local.cluster import owner_client
from deploy.local.cluster.kubectl import kubectl, kubectl_json
from deploy.local.cluster.owner_client import ClusterApiError
from deploy.local.demo import demo
from deploy.local.demo.chat import ask_kaito, ask_openai
from deploy.local.images.contents import FETCH
from deploy.local.images.images import reference
from deploy.local.layout import Layout
from deploy.local.services.modelyard import PROGRAMS, WEBHOOK
from deploy.local.services.pods import NAMESPACE
from deploy.local.stack.choices import recall
from testing.admin_api import ask_admin
from testing.pods.processes import in_containers
from tests.e2e.rights import assert_without_rights, assert_writable

pytestmark = pytest.mark.timeout(2400)

DELETE_S = 180


@pytest.fixture(scope="module")
def served(stack: Layout) -> Iterator[demo.Target]:
    target = demo.apply_example(stack.admin_kubeconfig)
    snapshots = demo.follow(target, lambda at, line: print(f"[{at:6.1f}s] {line}"))
    assert snapshots[-1].status.phase == "Ready"
    yield target


def test_a_workspace_answers_at_both_endpoints_through_its_service(served: demo.Target) -> None:
    address = demo.service_address(served)
    assert demo.ANSWER in ask_openai(address, demo.QUESTION).text
    assert demo.ANSWER in ask_kaito(address, demo.QUESTION).text


def test_kubectl_shows_true_columns_in_both_versions(served: demo.Target) -> None:
    for _, table in demo.tables(served):
        shown = cells(table)
        assert shown["INSTANCE"] == "Standard_NC24ads_A100_v4"
        assert shown["RESOURCEREADY"] == shown["INFERENCEREADY"] == "True"
        assert shown.get("WORKSPACEREADY", shown.get("WORKSPACESUCCEEDED")) == "True"


def cells(table: str) -> dict[str, str]:
    """The first row by column; columns are found by their place, because some are empty."""
    header, row = table.splitlines()[:2]
    starts = [match.start() for match in re.finditer(r"\S+", header)]
    ends = [*starts[1:], max(len(header), len(row))]
    return {header[start:end].strip(): row[start:end].strip() for start, end in zip(starts, ends, strict=True)}


def test_its_node_was_bought_once_and_offers_the_gpu(served: demo.Target, stack: Layout) -> None:
    found = kubectl_json(stack.admin_kubeconfig, "get", "nodes", "-l", "modelyard.dev/workspace-uid")["items"]
    assert [node["status"]["allocatable"]["nvidia.com/gpu"] for node in found] == ["1"]
    assert ControlClient(Address.of_instance(stack.instance)).calls()["PUT agentPool"] == 1


def test_the_admin_endpoint_and_the_workflow_tell_the_same_story(served: demo.Target, stack: Layout) -> None:
    view: dict[str, Any] = ask_admin(stack, f"/workspaces/default/{served.name}")
    assert view["phase"] == "Ready"
    assert [step["outcome"] for step in view["steps"]] == ["done"] * len(view["steps"])
    held = {holding["kind"]: holding["name"] for holding in view["holdings"]}
    assert held["node_pool"] == names.pool_name(view["uid"])


def test_code_of_a_model_has_no_right_on_its_node(served: demo.Target, stack: Layout) -> None:
    found = {module: in_containers(stack, module) for module in ("runtime.fetch", "runtime.serve")}
    assert all(found.values())
    for process in (process for each in found.values() for process in each):
        assert_without_rights(process)
        assert_writable(process, "tmp")


def test_deleting_gives_everything_back(served: demo.Target, stack: Layout) -> None:
    began = time.monotonic()
    kubectl(stack.admin_kubeconfig, "delete", "workspace", served.name, deadline_s=DELETE_S)
    print(f"deleted in {time.monotonic() - began:.1f} s")
    assert [
        name for name in ControlClient(Address.of_instance(stack.instance)).state()["pools"] if name != "system"
    ] == []
    assert kubectl_json(stack.admin_kubeconfig, "get", "nodes", "-l", "modelyard.dev/workspace-uid")["items"] == []
    left = kubectl_json(stack.admin_kubeconfig, "get", "deploy,svc,cm,pods", "-A", "-l", "kaito.sh/workspace")
    assert left["items"] == []


def test_logs_of_processes_and_pods_hold_no_secret(stack: Layout) -> None:
    token = (stack.state / "azure-token").read_text().strip()
    files = [*stack.logs.glob("*.log"), *stack.nodes.glob("*/log/pods/**/*.log")]
    assert any("worker-cloud" in str(file) for file in files)
    assert [file for file in files if token in file.read_text(errors="replace")] == []


def test_no_pod_of_the_control_plane_has_a_right_on_its_node(stack: Layout) -> None:
    if not (choices := recall(stack.instance)) or not choices.pods:
        pytest.skip("this Kubernetes is too old for the chart: the control plane is processes of this machine")
    labels = kubectl_json(stack.admin_kubeconfig, "get", "namespace", NAMESPACE)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    print(kubectl(stack.admin_kubeconfig, "-n", NAMESPACE, "get", "pods"))
    ours = [process for program in (*PROGRAMS, WEBHOOK) for process in in_containers(stack, program.module)]
    # Two of each; both workers run one module, which is looked for twice.
    assert len({process.pid for process in ours}) == 2 * len((*PROGRAMS, WEBHOOK))
    for process in ours:
        assert_without_rights(process)


def test_the_namespace_of_all_examples_takes_restricted_pods_only(stack: Layout) -> None:
    if not (choices := recall(stack.instance)) or not choices.pods:
        pytest.skip("this Kubernetes has no Pod Security")
    pod = {"metadata": {"name": "root"}, "spec": {"containers": [{"name": "c", "image": reference(stack, FETCH)}]}}
    with pytest.raises(ClusterApiError, match="violates PodSecurity"):
        owner_client.request(stack, "POST", "/api/v1/namespaces/default/pods", pod, "application/json")
