"""The wait for the loss of a node, against a real API server under the worker's own rights."""

import asyncio
import time
from typing import Any

import pytest

from activities.clients.kubernetes import Cluster
from activities.clients.view.cluster_view import ClusterView
from activities.contract.nodes import NodesHeld
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Deadlines
from api import labels
from tests.builders import a_plan
from tests.integration.nodes.attempts import watching
from tests.integration.nodes.conftest import Bench
from tests.integration.nodes.provisioner import delete

GRACE_S = 3
# Longer than any of these tests: what comes back, or is gone, is seen before it is over.
LONG_S = 600


async def set_ready(admin: Cluster, name: str, ready: bool) -> None:
    """As the node controller would, when the kubelet is silent."""
    status: dict[str, Any] = {"op": "replace", "path": "/status/conditions/0/status", "value": str(ready)}
    await admin.request(
        "PATCH",
        f"/api/v1/nodes/{name}/status",
        body=[status],
        content_type="application/json-patch+json",
    )


@pytest.fixture
async def held(bench: Bench) -> NodesHeld:
    """Two nodes that may be without sign of life for LONG_S."""
    key = await bench.workspace()
    names = [await bought(bench, key, name) for name in ("one", "two")]
    return NodesHeld.of(a_plan(key, node_count=2, deadlines=Deadlines(unready=LONG_S)), names)


async def bought(bench: Bench, key: WorkspaceKey, name: str) -> str:
    made = await bench.node(name)
    own = labels.node_ownership(key.namespace, key.name, key.uid)
    await bench.admin.request(
        "PATCH",
        f"/api/v1/nodes/{made}",
        body={"metadata": {"labels": own}},
        content_type="application/strategic-merge-patch+json",
    )
    return made


async def test_a_node_that_is_gone_is_noticed_at_once(cluster: Cluster, bench: Bench, held: NodesHeld) -> None:
    attempt = watching(ClusterView(cluster), held)
    await attempt.until_beat(lambda said: said == {"missing": []})
    await delete(bench.admin, "Node", held.names[1])
    lost = await asyncio.wait_for(attempt.task, timeout=LONG_S / 5)
    assert lost == [held.names[1]]


async def test_a_node_that_is_not_ready_has_its_grace(cluster: Cluster, bench: Bench, held: NodesHeld) -> None:
    patient = held.model_copy(update={"unready": GRACE_S})
    attempt = watching(ClusterView(cluster), patient)
    await attempt.until_beat(lambda said: said == {"missing": []})
    began = time.monotonic()
    await set_ready(bench.admin, held.names[0], False)
    lost = await asyncio.wait_for(attempt.task, timeout=LONG_S / 5)
    assert lost == [held.names[0]]
    assert time.monotonic() - began >= GRACE_S


async def test_a_node_that_comes_back_in_time_was_not_lost(cluster: Cluster, bench: Bench, held: NodesHeld) -> None:
    attempt = watching(ClusterView(cluster), held)
    await attempt.until_beat(lambda said: said == {"missing": []})
    await set_ready(bench.admin, held.names[0], False)
    await attempt.until_beat(lambda said: said == {"missing": [held.names[0]]})
    attempt.beats.clear()
    await set_ready(bench.admin, held.names[0], True)
    await attempt.until_beat(lambda said: said == {"missing": []})
    assert not attempt.task.done()
    await attempt.cancelled()
