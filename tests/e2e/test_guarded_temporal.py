"""The chart at a Temporal behind mutual TLS that refuses the OperatorService: every certificate, and the authority that
signed them, is replaced while a Workspace is brought up. `guarded_temporal.py` says what is real in it.

`pytest -s` prints the figures that docs/performance.md has.
"""

import subprocess
import time
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.service import RPCError, RPCStatusCode

from api.resource.status import WorkspaceStatus, parse_status
from deploy.local.cluster.kubectl import kubectl, kubectl_json
from deploy.local.demo import demo
from deploy.local.demo.follow import is_ready
from deploy.local.layout import Layout
from deploy.local.stack.choices import recall
from testing.applied import own_server, workspace, written
from testing.deadlines import PATIENCE_S
from testing.slow_purchases import await_purchase, pools_of_workspaces, slow_purchases
from tests.e2e.guarded_temporal import Guarded, await_in_use, clients, installed

pytestmark = pytest.mark.timeout(2400)

NAME: Final = "guarded"
BUYING_S: Final = 45.0
"""How long ARM takes for the node: the exchange begins meanwhile, and ends after it or before."""
DELETE_S: Final = 240

Running = tuple[Guarded, "subprocess.Popen[bytes]"]


@pytest.fixture(scope="module")
def guarded(stack: Layout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    if not (choices := recall(stack.instance)) or not choices.pods:
        pytest.skip("this Kubernetes is too old for the chart")
    with installed(stack, tmp_path_factory.mktemp("certificates")) as running:
        try:
            yield running
        finally:
            kubectl(stack.admin_kubeconfig, "delete", "workspace", "--all", deadline_s=DELETE_S)


async def test_it_refuses_whoever_shows_no_certificate_and_the_operator_service(guarded: Running) -> None:
    """Otherwise the life below would show nothing."""
    temporal, _ = guarded
    with pytest.raises(RuntimeError):
        await temporal.client()
    service = (await temporal.client(temporal.authority)).operator_service
    with pytest.raises(RPCError) as refused:
        await service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
    assert refused.value.status is RPCStatusCode.PERMISSION_DENIED


def test_every_process_that_uses_temporal_has_a_certificate(guarded: Running) -> None:
    temporal, _ = guarded
    names = clients(temporal.stack)
    for process in ("watcher", "worker-cluster", "worker-cloud", "admin"):
        assert len([name for name in names if name.startswith(f"modelyard-{process}-")]) == 2, names


@pytest.fixture(scope="module")
def renewed(guarded: Running) -> dict[str, Any]:
    """Every certificate replaced while a Workspace waits for its node; returns what was seen before and after."""
    (temporal, proxy), stack = guarded, guarded[0].stack
    before = clients(stack)
    with slow_purchases(stack, BUYING_S):
        file = written(stack, NAME, [workspace(NAME, own_server(stack))])
        target = demo.apply_example(stack.admin_kubeconfig, file)
        await_purchase(stack)
        began, authority = time.monotonic(), temporal.exchange(proxy)
        under_way = not is_ready(status_of(target))
        await_in_use(stack)
        print(f"all {len(before)} pods use the new certificates after {time.monotonic() - began:.1f} s")
    demo.follow(target, lambda at, line: print(f"[{at:6.1f}s] {line}"))
    print(f"Ready {time.monotonic() - began:.1f} s after the exchange")
    return {"before": before, "after": clients(stack), "under way": under_way, "authority": authority}


def status_of(target: demo.Target) -> WorkspaceStatus:
    return parse_status(kubectl_json(target.kubeconfig, "get", "workspace", target.name).get("status"))


def test_a_workspace_is_brought_up_across_the_exchange(guarded: Running, renewed: dict[str, Any]) -> None:
    assert renewed["under way"]
    stack = guarded[0].stack
    target = demo.Target(stack.admin_kubeconfig, "default", NAME)
    assert is_ready(status_of(target))
    httpx.get(f"http://{demo.service_address(target)}/", trust_env=False, timeout=PATIENCE_S).raise_for_status()
    assert len(pools_of_workspaces(stack)) == 1


async def test_the_old_certificates_open_nothing_any_more(guarded: Running, renewed: dict[str, Any]) -> None:
    temporal, _ = guarded
    with pytest.raises(RuntimeError):
        await temporal.client(renewed["authority"])
    await temporal.client(temporal.authority)


def test_no_pod_and_no_container_was_replaced(renewed: dict[str, Any]) -> None:
    assert renewed["after"] == renewed["before"]


def test_it_is_deleted_and_nothing_is_left(guarded: Running, renewed: dict[str, Any]) -> None:
    stack, began = guarded[0].stack, time.monotonic()
    kubectl(stack.admin_kubeconfig, "delete", "workspace", NAME, deadline_s=DELETE_S)
    print(f"deleted in {time.monotonic() - began:.1f} s")
    assert pools_of_workspaces(stack) == []
    assert kubectl_json(stack.admin_kubeconfig, "get", "nodes", "-l", "modelyard.dev/workspace-uid")["items"] == []
    left = kubectl_json(stack.admin_kubeconfig, "get", "deploy,svc,cm,pods", "-A", "-l", "kaito.sh/workspace")
    assert left["items"] == []
