"""The stand-in for a device plugin against a kubelet's socket: it registers, offers what its files say, and comes again
when the kubelet does. Real kubelets take it in tests/integration/deploy/test_cluster.py."""

import queue
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from deploy.local.nodes.gpu_plugin import write_gpus
from deploy.local.nodes.plugin.__main__ import main
from deploy.local.nodes.plugin.folder import FOLDER
from deploy.local.nodes.plugin.messages import PACKAGE, message
from deploy.local.nodes.plugin.service import ENDPOINT, KUBELET_SOCKET
from testing.deadlines import PATIENCE_S


class Kubelet:
    """The side of the API that plugins call."""

    def __init__(self, folder: Path) -> None:
        self.registered: queue.Queue[Any] = queue.Queue()
        handler = grpc.unary_unary_rpc_method_handler(
            self._register, message("RegisterRequest").FromString, message("Empty").SerializeToString
        )
        self._server = grpc.server(ThreadPoolExecutor(1))
        methods = {"Register": handler}
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(f"{PACKAGE}.Registration", methods)]
        )
        self._server.add_insecure_port(f"unix:{folder / KUBELET_SOCKET}")
        self._server.start()

    def _register(self, request: Any, context: grpc.ServicerContext) -> Any:
        self.registered.put(request)
        return message("Empty")()

    def stop(self) -> None:
        self._server.stop(0).wait()


@pytest.fixture
def folder() -> Iterator[Path]:
    """The plugin runs in it. Addresses of sockets end after 107 bytes, which pytest's own folders may exceed."""
    with tempfile.TemporaryDirectory() as short:
        kubelet = Path(short)
        write_gpus(kubelet, 0)
        stop = threading.Event()
        thread = threading.Thread(target=main, args=(kubelet / FOLDER.name, stop))
        thread.start()
        yield kubelet / FOLDER.name
        stop.set()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def asked(folder: Path, method: str, request: Any, answer: str) -> Any:
    with grpc.insecure_channel(f"unix:{folder / ENDPOINT}") as channel:
        call = channel.unary_unary(
            f"/{PACKAGE}.DevicePlugin/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=message(answer).FromString,
        )
        return call(request, timeout=PATIENCE_S, wait_for_ready=True)


def devices(folder: Path) -> list[str]:
    with grpc.insecure_channel(f"unix:{folder / ENDPOINT}") as channel:
        stream = channel.unary_stream(
            f"/{PACKAGE}.DevicePlugin/ListAndWatch",
            request_serializer=message("Empty").SerializeToString,
            response_deserializer=message("ListAndWatchResponse").FromString,
        )
        first = next(stream(message("Empty")(), timeout=PATIENCE_S, wait_for_ready=True))
        return [device.ID for device in first.devices if device.health == "Healthy"]


def test_a_machine_with_gpus_is_registered_again_with_every_kubelet(folder: Path) -> None:
    first = Kubelet(folder)
    with pytest.raises(queue.Empty):  # without a driver there is nothing to offer
        first.registered.get(timeout=1.0)
    write_gpus(folder.parent, 2)
    request = first.registered.get(timeout=PATIENCE_S)
    assert (request.version, request.endpoint, request.resource_name) == ("v1beta1", ENDPOINT, "nvidia.com/gpu")
    wanted = message("AllocateRequest")(container_requests=[{"devices_ids": ["gpu-1"]}])
    (given,) = asked(folder, "Allocate", wanted, "AllocateResponse").container_responses
    assert [(one.key, one.value) for one in given.envs] == [("NVIDIA_VISIBLE_DEVICES", "gpu-1")]
    assert devices(folder) == ["gpu-0", "gpu-1"]
    assert first.registered.get(timeout=PATIENCE_S).endpoint == ENDPOINT  # the stream was left
    first.stop()
    for file in folder.glob("*.sock"):  # as a kubelet does that starts
        file.unlink(missing_ok=True)
    second = Kubelet(folder)
    assert second.registered.get(timeout=PATIENCE_S).endpoint == ENDPOINT
    assert devices(folder) == ["gpu-0", "gpu-1"]
    second.stop()
