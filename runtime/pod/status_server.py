"""Serves /metrics and /healthz during the work and afterwards. Healthy means: this process is alive.

Both report progress, which does not affect health: a slow download must not be restarted. Whoever reaches the pod may
connect, so connections are few, and the oldest ends where one more comes: a probe is always answered.
"""

import contextlib
import json
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Protocol

CONNECTIONS: Final = 32
"""Each has a thread."""
SILENCE_S: Final = 5.0
"""After which a connection ends."""


class StatusSource(Protocol):
    """The progress to report."""

    def metrics(self) -> str: ...
    def state(self) -> dict[str, Any]: ...


def start_status_server(progress: StatusSource, port: int, host: str = "0.0.0.0") -> ThreadingHTTPServer:
    """Starts serving in the background. Raises OSError if the port is taken."""
    server = _BoundedServer((host, port), _handler(progress))
    threading.Thread(target=server.serve_forever, name="status", daemon=True).start()
    return server


class _BoundedServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._slots = threading.Semaphore(CONNECTIONS)
        self._open: dict[socket.socket, None] = {}  # in the order in which they came
        self._changes = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begins a thread once there is room."""
        while not self._slots.acquire(blocking=False):
            self._end_oldest()
            if self._slots.acquire(timeout=1.0):  # its thread reads the end at once
                break
        with self._changes:
            self._open[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Frees the place."""
        with self._changes:
            self._open.pop(request, None)
        super().shutdown_request(request)
        self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tells bugs only: clients that go away, or are made to, would fill the log."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def _end_oldest(self) -> None:
        with self._changes:
            if oldest := next(iter(self._open), None):
                del self._open[oldest]
                with contextlib.suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)


def _handler(progress: StatusSource) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = SILENCE_S

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, "text/plain; version=0.0.4", progress.metrics())
            elif self.path == "/healthz":
                self._answer(200, "application/json", json.dumps(progress.state()))
            else:
                self._answer(404, "text/plain", "ask for /metrics or /healthz\n")

        def _answer(self, status: int, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Logs nothing: probes and scrapes would fill the log."""

    return Handler
