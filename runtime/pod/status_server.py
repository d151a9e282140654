"""Serves /metrics and /healthz during the work and afterwards. Healthy means: this process is alive.

Both report progress, which does not affect health: a slow download must not be restarted.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol


class StatusSource(Protocol):
    """The progress to report."""

    def metrics(self) -> str: ...
    def state(self) -> dict[str, Any]: ...


def start_status_server(progress: StatusSource, port: int, host: str = "0.0.0.0") -> ThreadingHTTPServer:
    """Starts serving in the background. Raises OSError if the port is taken."""
    server = ThreadingHTTPServer((host, port), _handler(progress))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="status", daemon=True).start()
    return server


def _handler(progress: StatusSource) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
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
