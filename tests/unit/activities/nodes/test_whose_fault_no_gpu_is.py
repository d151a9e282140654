"""A node without GPUs: the cluster's fault where no device plugin ran on it, the node's where one did."""

from typing import Any

import pytest

from activities.clients.kubernetes import Object
from activities.nodes.gpus.on_node import judged


def a_pod(*statuses: dict[str, Any]) -> Object:
    metadata = {"name": "nvidia-device-plugin-x7k2p", "namespace": "gpu-resources"}
    return {"metadata": metadata, "status": {"containerStatuses": list(statuses)}}


@pytest.mark.parametrize(
    ("pods", "reason"),
    [
        pytest.param([], "GpusNotOffered", id="no pod"),
        pytest.param([a_pod()], "GpusNotOffered", id="not started"),
        pytest.param([a_pod({"state": {"waiting": {"reason": "ImagePullBackOff"}}})], "GpusNotOffered", id="no image"),
        pytest.param([a_pod({"state": {"running": {}}})], "NodeWithoutGpu", id="runs"),
        pytest.param(
            [a_pod({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 3})],
            "NodeWithoutGpu",
            id="crashes",
        ),
        pytest.param(
            [a_pod({"state": {"waiting": {}}, "lastState": {"terminated": {}}})], "NodeWithoutGpu", id="ended"
        ),
        pytest.param([a_pod(), a_pod({"state": {"running": {}}})], "NodeWithoutGpu", id="on one of two nodes"),
    ],
)
def test_a_node_is_blamed_only_where_a_plugin_ran(pods: list[Object], reason: str) -> None:
    found, evidence = judged(["aks-ws1-0"], pods)
    assert found == reason
    assert ("gpu-resources/nvidia-device-plugin-x7k2p" in evidence) is bool(pods)
    assert ("devicePlugin.enabled" in evidence) is (reason == "GpusNotOffered")
