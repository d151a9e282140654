"""The log of a failed container through a real API server, as the identity that asks pods, from a kubelet's stand-in.

Whoever writes it may be hostile, and who reads the status need not be allowed to read logs.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from temporalio.exceptions import ApplicationError

from activities.clients.kubernetes import Cluster
from activities.clients.pod_proxy import LOG_LINES
from activities.clients.view.cluster_view import ClusterView
from activities.contract.serving import ServingRequest
from activities.serving.workloads import Workloads
from deploy.local.cluster.certificates import ensure_certificate
from deploy.local.layout import Layout
from testing.deadlines import PATIENCE_S
from testing.pods.inputs import IMAGES
from tests.integration.attacks.tenants import DIGEST, Tenant, address_of_pods, reference_to
from tests.integration.nodes.attempts import Attempt

LOG = "token=hunter2\n\x1b[2Jloading the model\nRuntimeError: no room for the KV cache\n"


class Kubelet:
    """Answers the API server's requests for logs."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.port = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.match_info["container"], dict(request.query)))
        return web.Response(text=LOG)


@pytest.fixture
async def kubelet(api_server: Layout) -> AsyncIterator[Kubelet]:
    address, kubelet = address_of_pods(), Kubelet()
    pair = ensure_certificate(api_server, "kubelet-stand-in", common_name="system:node:nowhere", hosts=(address,))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair.certificate, pair.key)
    app = web.Application()
    app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", kubelet.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, address, 0, ssl_context=tls)
    await site.start()
    kubelet.port = runner.addresses[0][1]
    yield kubelet
    await runner.cleanup()


async def node_of(admin: Cluster, kubelet: Kubelet) -> None:
    """The node that the tenant's pods are bound to."""
    await admin.create("Node", {"metadata": {"name": "nowhere"}, "spec": {}})
    status = {
        "addresses": [{"type": "InternalIP", "address": address_of_pods()}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet.port}},
    }
    await admin.merge("Node", "nowhere", None, {"status": status}, subresource="status")


async def test_a_crash_brings_its_log_into_the_failure(
    admin: Cluster, worker: Cluster, tenant: Tenant, kubelet: Kubelet
) -> None:
    await node_of(admin, kubelet)
    key = await tenant.workspace()
    replicas = await tenant.replica_set(key, worker)
    pod = await tenant.pod(key, reference_to(replicas))
    ended = {"exitCode": 1, "reason": "Error", "startedAt": None, "finishedAt": None}
    crashed: dict[str, Any] = {"name": "serve", "image": "x", "imageID": "", "ready": False, "restartCount": 3}
    crashed |= {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": ended}}
    status = {"conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": [crashed]}
    await admin.merge("Pod", pod, key.namespace, {"status": status}, subresource="status")
    request = ServingRequest(workspace=key, digest=DIGEST, replicas=1)
    attempt = Attempt(Workloads(ClusterView(worker), IMAGES).wait_for_serving, request)
    with pytest.raises(ApplicationError) as caught:
        await asyncio.wait_for(attempt.task, PATIENCE_S)
    await admin.delete("Node", "nowhere")
    error = caught.value
    assert error.type == "ContainerCrashLoopBackOff"
    assert (
        "Its log ends: token=[masked] | [2Jloading the model | RuntimeError: no room for the KV cache" in error.message
    )
    kept = error.details[0]["logs"][f"{pod}/serve"]
    assert kept == LOG.replace("hunter2", "[masked]").replace("\x1b", " ")
    [(container, query)] = kubelet.asked
    assert (container, query["previous"], query["tailLines"]) == ("serve", "true", str(LOG_LINES))
