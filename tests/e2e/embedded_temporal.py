"""The chart with a Temporal of its own in a local stack: installed, asked by its Service, its pod and volume looked at.

Its image is made as Temporal's is published: the program, and an entrypoint that names it. Real are the program, the
kubelet, the volume. The names of Services are answered by `testing/cluster_dns.py`, because a local stack has no DNS;
NetworkPolicies are applied, and enforced by nobody here.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from api import names
from deploy.chart_values.installation import Values
from deploy.local.cluster.kubectl import kubectl, kubectl_json
from deploy.local.host import daemons
from deploy.local.host.commands import run_logged
from deploy.local.images.push import Registry
from deploy.local.kubernetes.helm import ensure_helm
from deploy.local.layout import Layout
from deploy.local.services import chart
from deploy.local.services.forwarders import admin_forwarder
from deploy.local.services.pods import NAMESPACE, pod_status, read_pods
from deploy.local.services.temporal import temporal_program
from deploy.local.stack.graph import SYSTEM_NODE
from deploy.local.stack.up import bring_up
from testing.cluster_dns import cluster_ip, names_of_services
from testing.deadlines import PATIENCE_S
from testing.leftovers import RUNNING
from testing.oci.programs import push_program

SERVER: Final = "modelyard-temporal"
POD: Final = f"{SERVER}-0"
CLAIM: Final = f"data-{POD}"
HELM_S: Final = 600


@contextmanager
def installed(stack: Layout) -> Iterator[None]:
    """The stack's chart taken away, and installed anew with its own Temporal; afterwards the stack is as it was."""
    image = Values().temporal.embedded_server.image
    push_program(Registry(stack.registry, image.repository), image.tag, Path(temporal_program()))
    try:
        with names_of_services(stack, SYSTEM_NODE.name, NAMESPACE):
            helm(stack, "uninstall", chart.RELEASE)
            began = time.monotonic()
            helm(stack, "install", chart.RELEASE, str(chart.CHART), "--values", str(embedded_values(stack)))
            print(f"installed in {time.monotonic() - began:.1f} s; containers restarted: {restarts(stack)}")
            daemons.start(stack, admin_forwarder(stack))  # the Service has another address now
            yield
    finally:
        helm(stack, "uninstall", chart.RELEASE)
        kubectl(stack.admin_kubeconfig, "-n", NAMESPACE, "delete", "pvc", CLAIM, "--ignore-not-found")
        bring_up(stack.instance)


def helm(stack: Layout, *arguments: str) -> None:
    log = stack.logs / "embedded-temporal.log"
    program = ensure_helm(stack.cache, log, lambda words: None)
    argv = [*chart.helm_argv(stack, program, *arguments), "--wait", "--timeout", f"{HELM_S}s"]
    run_logged(argv, log, deadline_s=HELM_S + 30, env=chart.helm_environment(stack))


def embedded_values(stack: Layout) -> Path:
    """The stack's own values, with a Temporal of the chart's and from the stack's registry."""
    values = chart.values(stack)
    values["temporal"] = {"embedded": True}
    values["image"]["mirrored"] = True
    values["networkPolicies"] = {"enabled": True}
    file = stack.state / "embedded-temporal-values.json"
    file.write_text(json.dumps(values, indent=1))
    return file


def system(stack: Layout, *arguments: str) -> Any:
    """What kubectl says of the chart's namespace."""
    return kubectl_json(stack.admin_kubeconfig, "-n", NAMESPACE, *arguments)


def restarts(stack: Layout) -> dict[str, int]:
    """Of every pod of the chart, by name."""
    return {(found := pod_status(pod)).name: found.restarts for pod in read_pods(stack.admin_kubeconfig)}


def runs(stack: Layout) -> dict[str, str]:
    """Each Workspace's open workflow in the embedded server, asked by its Service: the first of its runs, by id."""

    async def found() -> dict[str, str]:
        connected = await Client.connect(f"{cluster_ip(stack, SERVER, NAMESPACE)}:7233")
        handles = [connected.get_workflow_handle(each.id) async for each in connected.list_workflows(RUNNING)]
        described = [await handle.describe() for handle in handles]
        return {each.id: each.raw_description.workflow_execution_info.first_run_id for each in described}

    return asyncio.run(found())


def is_known(address: str, name: str) -> bool:
    """Whether a Temporal has a workflow of this Workspace's, open or closed."""

    async def described() -> bool:
        try:
            await (await Client.connect(address)).get_workflow_handle(workflow_id(name)).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True

    return asyncio.run(described())


def workflow_id(name: str) -> str:
    return names.workflow_id("default", name)


def volume(stack: Layout) -> str:
    claim = system(stack, "get", "pvc", CLAIM)
    assert claim["status"]["phase"] == "Bound"
    return str(claim["spec"]["volumeName"])


def await_other_pod(stack: Layout, uid: str) -> None:
    """Until another one of the StatefulSet's is ready."""
    ends = time.monotonic() + PATIENCE_S
    while True:
        found = {pod["metadata"]["name"]: pod for pod in read_pods(stack.admin_kubeconfig)}.get(POD)
        if found and found["metadata"]["uid"] != uid and pod_status(found).ready:
            return
        assert time.monotonic() < ends, f"{POD} has not come back"
        time.sleep(0.5)
