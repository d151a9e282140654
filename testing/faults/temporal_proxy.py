"""A proxy in front of a real Temporal server that asks what the dev server cannot ask for: a client certificate, an API
key; and that refuses services, as Temporal Cloud does with the OperatorService.

Calls pass as they are, bytes in and bytes out. Real are Temporal, TLS and gRPC; only who may call is decided here. As a
process of its own (`python -m testing.faults.temporal_proxy`) it reads its certificates again on SIGHUP.
"""

import argparse
import asyncio
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
import grpc.aio

from process.x509 import Pair, Pem

LOOPBACK: Final = "127.0.0.1"
OPERATOR_SERVICE: Final = "temporal.api.operatorservice.v1.OperatorService"
HOP_BY_HOP: Final = ("grpc-", "user-agent", "te", "content-type", "authorization")
"""Headers, by their beginnings, that a call of the proxy's own has anew or must not have."""


@dataclass(frozen=True)
class MutualTls:
    """The server's certificate, and the CA that clients' certificates must be signed by."""

    server: Pair
    clients_ca: Pem

    def write(self, folder: Path) -> None:
        """For a proxy that is a process of its own."""
        content = {"server.crt": self.server.certificate, "server.key": self.server.key, "clients.crt": self.clients_ca}
        for name, pem in content.items():
            (folder / name).write_bytes(pem)

    @classmethod
    def read(cls, folder: Path) -> "MutualTls":
        """What `write` wrote."""
        pair = Pair((folder / "server.crt").read_bytes(), (folder / "server.key").read_bytes())
        return cls(pair, (folder / "clients.crt").read_bytes())


class TemporalProxy:
    """Listens on `host`. `keys`: the API keys that are accepted, anything if empty; `refused`: full names of services.
    Both may change at any time. `answered` counts the calls that passed, by the API key they showed."""

    def __init__(
        self, target: str, *, keys: Sequence[str] = (), refused: Sequence[str] = (), host: str = LOOPBACK, port: int = 0
    ) -> None:
        self.target, self.keys, self.refused = target, keys, refused
        self.answered: Counter[str] = Counter()
        self.host, self.port = host, port
        self._server: grpc.aio.Server | None = None

    @property
    def address(self) -> str:
        """HOST:PORT, the same for the proxy's life."""
        return f"{self.host}:{self.port}"

    async def listen(self, tls: MutualTls | None = None) -> None:
        """Begins to listen; if it did, cuts every connection and listens anew, with this TLS or without."""
        await self.close()
        self._channel = grpc.aio.insecure_channel(self.target)
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((_Forward(self),))
        if tls is None:
            self.port = server.add_insecure_port(self.address)
        else:
            pairs = [(tls.server.key, tls.server.certificate)]
            credentials = grpc.ssl_server_credentials(pairs, tls.clients_ca, require_client_auth=True)
            self.port = server.add_secure_port(self.address, credentials)
        await server.start()
        self._server = server

    async def close(self) -> None:
        """Cuts every connection."""
        if self._server is not None:
            await self._server.stop(grace=None)
            await self._channel.close()
            self._server = None

    async def call(self, method: str, request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        """Passes one call on, or refuses it."""
        metadata = [(str(name), value) for name, value in context.invocation_metadata() or ()]
        key = str(dict(metadata).get("authorization", "")).removeprefix("Bearer ")
        if self.keys and key not in self.keys:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "Request unauthorized.")
        if method.removeprefix("/").partition("/")[0] in self.refused:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "Request unauthorized.")
        passed = [(name, value) for name, value in metadata if not name.startswith(HOP_BY_HOP)]
        try:
            forward = self._channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
            answer = await forward(request, metadata=passed, timeout=context.time_remaining())
        except grpc.aio.AioRpcError as error:
            context.set_trailing_metadata(tuple(error.trailing_metadata() or ()))
            await context.abort(error.code(), error.details() or "")
        self.answered[key] += 1
        return answer


class _Forward(grpc.GenericRpcHandler):
    """Every method of Temporal's is one request and one answer."""

    def __init__(self, proxy: TemporalProxy) -> None:
        self._proxy = proxy

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Returns the handler of a method, whatever its name is."""
        method = handler_call_details.method

        async def call(request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
            return await self._proxy.call(method, request, context)

        return grpc.unary_unary_rpc_method_handler(call)


async def serve(proxy: TemporalProxy, folder: Path | None) -> None:
    """Listens with the folder's certificates until SIGTERM; without a folder in clear, for anybody."""
    told = asyncio.Queue[signal.Signals]()
    for number in (signal.SIGHUP, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.put_nowait, number)
    await proxy.listen(MutualTls.read(folder) if folder else None)
    while await told.get() is signal.SIGHUP:
        await proxy.listen(MutualTls.read(folder) if folder else None)
    await proxy.close()


def main() -> None:
    """Entry point of `python -m testing.faults.temporal_proxy`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True, help="HOST:PORT of the real server")
    parser.add_argument("--host", default=LOOPBACK, help="the address to listen on")
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--folder", type=Path, help="with server.crt, server.key and clients.crt; without it no TLS")
    parser.add_argument("--refuse", action="append", default=[], help="full name of a service")
    given = parser.parse_args()
    proxy = TemporalProxy(given.target, refused=given.refuse, host=given.host, port=given.port)
    asyncio.run(serve(proxy, given.folder))


if __name__ == "__main__":
    main()
