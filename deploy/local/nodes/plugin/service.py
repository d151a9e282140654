"""What the kubelet asks a device plugin, and what the plugin asks the kubelet: gRPC over two sockets in one folder.

`GpuPlugin` answers; `register` says that it does. When either has to happen again is decided by `__main__.py`.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import grpc

from deploy.local.nodes.plugin.messages import PACKAGE, message

RESOURCE: Final = "nvidia.com/gpu"
VARIABLE: Final = "NVIDIA_VISIBLE_DEVICES"
"""By which NVIDIA's plugin tells the container runtime which GPUs a container gets; nothing here reads it."""
KUBELET_SOCKET: Final = "kubelet.sock"
ENDPOINT: Final = "modelyard-gpus.sock"
REGISTER_S: Final = 5.0
THREADS: Final = 4
"""One is held by the kubelet's ListAndWatch."""


class GpuPlugin:
    """Offers these GPUs, by name, until it is stopped."""

    def __init__(self, gpus: list[str]) -> None:
        self._gpus = gpus
        self._stopped = threading.Event()
        self._server: grpc.Server | None = None

    def serve(self, folder: Path) -> None:
        """Listens on ENDPOINT in the folder, in threads of its own."""
        methods = {
            "GetDevicePluginOptions": _unary(self._options, "Empty"),
            "ListAndWatch": grpc.unary_stream_rpc_method_handler(
                self._devices, message("Empty").FromString, message("ListAndWatchResponse").SerializeToString
            ),
            "Allocate": _unary(self._allocate, "AllocateRequest"),
        }
        server = grpc.server(ThreadPoolExecutor(THREADS))
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(f"{PACKAGE}.DevicePlugin", methods)])
        server.add_insecure_port(f"unix:{folder / ENDPOINT}")
        server.start()
        self._server = server

    def stop(self) -> None:
        """The kubelet sees its stream end, and offers the GPUs no more."""
        self._stopped.set()
        if self._server is not None:
            self._server.stop(grace=1.0).wait()

    def _options(self, request: Any, context: grpc.ServicerContext) -> Any:
        return message("DevicePluginOptions")()

    def _devices(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        context.add_callback(self._stopped.set)  # a stream that the kubelet has left must not hold its thread
        yield message("ListAndWatchResponse")(devices=[{"ID": gpu, "health": "Healthy"} for gpu in self._gpus])
        self._stopped.wait()

    def _allocate(self, request: Any, context: grpc.ServicerContext) -> Any:
        given = [",".join(one.devices_ids) for one in request.container_requests]
        answers = [{"envs": [{"key": VARIABLE, "value": gpus}]} for gpus in given]
        return message("AllocateResponse")(container_responses=answers)

    @property
    def is_left(self) -> bool:
        """Whether the kubelet has ended its stream, or the plugin was stopped."""
        return self._stopped.is_set()


def register(folder: Path) -> None:
    """Tells the kubelet that a plugin listens on ENDPOINT. Raises grpc.RpcError where no kubelet answers."""
    request = message("RegisterRequest")(version=PACKAGE, endpoint=ENDPOINT, resource_name=RESOURCE)
    with grpc.insecure_channel(f"unix:{folder / KUBELET_SOCKET}") as channel:
        call = channel.unary_unary(
            f"/{PACKAGE}.Registration/Register",
            request_serializer=message("RegisterRequest").SerializeToString,
            response_deserializer=message("Empty").FromString,
        )
        call(request, timeout=REGISTER_S)


def _unary(answer: Callable[[Any, grpc.ServicerContext], Any], request: str) -> "grpc.RpcMethodHandler[Any, Any]":
    def serialized(response: Any) -> bytes:
        return bytes(response.SerializeToString())

    return grpc.unary_unary_rpc_method_handler(answer, message(request).FromString, serialized)
