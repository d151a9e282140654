"""The chart's own Temporal as a pod (`temporal.embedded`): installed as for a first look, and lost while a Workspace is
brought up. `embedded_temporal.py` says what is real in it.
"""

import time
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from api.resource.status import WorkspaceStatus, parse_status
from deploy.local.cluster.kubectl import kubectl, kubectl_json
from deploy.local.demo import demo
from deploy.local.demo.follow import is_ready
from deploy.local.layout import Layout
from deploy.local.services.pods import NAMESPACE
from deploy.local.services.temporal import SEARCH_ATTRIBUTES
from deploy.local.stack.choices import recall
from testing.admin_api import ask_admin
from testing.applied import own_server, workspace, written
from testing.cluster_dns import cluster_ip
from testing.deadlines import PATIENCE_S
from testing.pods.processes import of_program
from testing.slow_purchases import arm, await_purchase, pools_of_workspaces, slow_purchases
from tests.e2e.embedded_temporal import (
    POD,
    SERVER,
    await_other_pod,
    installed,
    is_known,
    restarts,
    runs,
    system,
    volume,
    workflow_id,
)
from tests.e2e.rights import assert_without_rights, assert_writable

pytestmark = pytest.mark.timeout(2400)

FIRST: Final = "before"
SECOND: Final = "meanwhile"
BUYING_S: Final = 30.0
"""How long ARM takes for the second Workspace's node: longer than its Temporal is away on a quick machine."""
DELETE_S: Final = 240


def told(at: float, line: str) -> None:
    print(f"[{at:6.1f}s] {line}")


@pytest.fixture(scope="module")
def embedded(stack: Layout) -> Iterator[Layout]:
    if not (choices := recall(stack.instance)) or not choices.pods:
        pytest.skip("this Kubernetes is too old for the chart")
    with installed(stack):
        try:
            yield stack
        finally:
            kubectl(stack.admin_kubeconfig, "delete", "workspace", "--all", deadline_s=DELETE_S)
            arm(stack).reset_calls()


def apply(stack: Layout, name: str) -> demo.Target:
    document = workspace(name, own_server(stack))
    return demo.apply_example(stack.admin_kubeconfig, written(stack, name, [document]))


@pytest.fixture(scope="module")
def first(embedded: Layout) -> demo.Target:
    """A Workspace that serves."""
    target = apply(embedded, FIRST)
    demo.follow(target, told)
    return target


def test_its_pod_is_restricted_as_the_kernel_sees_it(embedded: Layout) -> None:
    [process] = of_program(embedded, "/temporal", "server", "start-dev")
    assert_without_rights(process)
    assert_writable(process, "data", "tmp")
    labels = kubectl_json(embedded.admin_kubeconfig, "get", "namespace", NAMESPACE)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_its_service_answers_with_the_search_attributes_of_workspaces(embedded: Layout) -> None:
    url = f"http://{cluster_ip(embedded, SERVER, NAMESPACE)}:8233/api/v1/namespaces/default/search-attributes"
    answer = httpx.get(url, trust_env=False, timeout=PATIENCE_S).raise_for_status().json()
    assert {each.name for each in SEARCH_ATTRIBUTES} <= set(answer["customAttributes"])


def test_the_network_policies_are_taken_by_the_cluster(embedded: Layout) -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in system(embedded, "get", "networkpolicies")["items"]}
    assert not policies[SERVER].get("egress")
    assert policies[SERVER]["ingress"][0]["ports"] == [{"port": 7233, "protocol": "TCP"}]


def test_a_workspace_lives_in_the_embedded_server_and_in_no_other(embedded: Layout, first: demo.Target) -> None:
    assert set(runs(embedded)) == {workflow_id(first.name)}
    assert ask_admin(embedded, f"/workspaces/default/{first.name}")["phase"] == "Ready"
    assert not is_known(embedded.temporal_address, first.name)


@pytest.fixture(scope="module")
def lost(embedded: Layout, first: demo.Target) -> dict[str, Any]:
    """The server's pod deleted while a second Workspace waits for its node; returns what was seen before and after."""
    before = seen(embedded)
    pod = system(embedded, "get", "pod", POD)["metadata"]["uid"]
    with slow_purchases(embedded, BUYING_S):
        target = apply(embedded, SECOND)
        await_purchase(embedded)
        began = time.monotonic()
        kubectl(embedded.admin_kubeconfig, "-n", NAMESPACE, "delete", "pod", POD, deadline_s=PATIENCE_S)
        under_way = not is_ready(status_of(target))
        await_other_pod(embedded, pod)
        away = time.monotonic() - began
    snapshots = demo.follow(target, told)
    print(f"the server was away for {away:.1f} s, the second Workspace Ready {snapshots[-1].at:.1f} s after that")
    return {"before": before, "after": seen(embedded), "under way": under_way}


def seen(stack: Layout) -> dict[str, Any]:
    return {"volume": volume(stack), "runs": runs(stack), "restarts": restarts(stack)}


def status_of(target: demo.Target) -> WorkspaceStatus:
    return parse_status(kubectl_json(target.kubeconfig, "get", "workspace", target.name).get("status"))


def test_the_server_comes_back_on_its_volume_with_every_workflow(lost: dict[str, Any]) -> None:
    before, after = lost["before"], lost["after"]
    assert lost["under way"]
    assert after["volume"] == before["volume"]
    assert set(after["runs"]) == {workflow_id(FIRST), workflow_id(SECOND)}
    assert before["runs"].items() <= after["runs"].items(), "the same workflows, not new ones of the same names"


def test_nothing_of_ours_was_restarted_while_it_was_away(lost: dict[str, Any]) -> None:
    def ours(restarts: dict[str, int]) -> dict[str, int]:
        return {name: count for name, count in restarts.items() if name != POD}

    assert ours(lost["after"]["restarts"]) == ours(lost["before"]["restarts"])


def test_both_workspaces_serve_and_each_node_was_bought_once(embedded: Layout, lost: dict[str, Any]) -> None:
    for name in (FIRST, SECOND):
        target = demo.Target(embedded.admin_kubeconfig, "default", name)
        assert is_ready(status_of(target))
        httpx.get(f"http://{demo.service_address(target)}/", trust_env=False, timeout=PATIENCE_S).raise_for_status()
    pools = pools_of_workspaces(embedded)
    made = [each["pool"] for each in arm(embedded).state()["operations"].values() if each["kind"] == "create"]
    assert len(pools) == 2 and sorted(made.count(pool) for pool in pools) == [1, 1]


def test_both_are_deleted_and_nothing_is_left(embedded: Layout, lost: dict[str, Any]) -> None:
    began = time.monotonic()
    kubectl(embedded.admin_kubeconfig, "delete", "workspace", FIRST, SECOND, deadline_s=DELETE_S)
    print(f"both deleted in {time.monotonic() - began:.1f} s")
    assert pools_of_workspaces(embedded) == []
    assert kubectl_json(embedded.admin_kubeconfig, "get", "nodes", "-l", "modelyard.dev/workspace-uid")["items"] == []
    left = kubectl_json(embedded.admin_kubeconfig, "get", "deploy,svc,cm,pods", "-A", "-l", "kaito.sh/workspace")
    assert left["items"] == []
    ends = time.monotonic() + PATIENCE_S
    while open_runs := runs(embedded):
        assert time.monotonic() < ends, f"workflows of Workspaces that are gone: {open_runs}"
        time.sleep(0.5)
