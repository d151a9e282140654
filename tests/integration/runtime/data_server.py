"""A web server with data that can be asked for in parts, and that breaks off, stalls, drips, or answers otherwise."""

import hashlib
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BLOCK = 10_000


@dataclass
class Page:
    """What a path answers. `cut`, `stall` and `drip` are bytes after which it happens, `times` how often."""

    content: bytes = b""
    status: int = 200
    kind: str = "application/octet-stream"
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: bool = True
    cut: int | None = None
    stall: int | None = None
    drip: bool = False
    slow_head: bool = False
    times: int = 1
    promise: bool = False


class DataServer(ThreadingHTTPServer):
    """`asked` has the path and the Range of every request."""

    daemon_threads = True
    # A stalled answer is not waited for.
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, str]] = []
        self.ends = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def data_server() -> Iterator[DataServer]:
    """Answers until the end."""
    server = DataServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.ends.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Answers(BaseHTTPRequestHandler):
    server: DataServer

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append((path, self.headers.get("Range", "")))
        page = self.server.pages.get(path, Page(status=404))
        if page.slow_head:
            self._drip(b"HTTP/1.1 200 OK\r\n" + b"X-Header: y\r\n" * 1000)
            return
        start = self._start(page)
        self.send_response(206 if start else page.status)
        self.send_header("Content-Type", page.kind)
        self.send_header("Content-Length", str(len(page.content) - start))
        if page.etag:
            self.send_header("ETag", _tag(page.content))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(page.content) - 1}/{len(page.content)}")
        if page.promise:
            digest = b64encode(hashlib.sha256(b"other" * page.times).digest() if page.times else _sha(page.content))
            self.send_header("Repr-Digest", f"sha-256=:{digest.decode()}:")
            page.times = max(0, page.times - 1)
        for name, value in page.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self._body(page, start)

    def _start(self, page: Page) -> int:
        asked = self.headers.get("Range", "").removeprefix("bytes=").removesuffix("-")
        return int(asked) if asked and self.headers.get("If-Range") == _tag(page.content) else 0

    def _body(self, page: Page, start: int) -> None:
        if page.drip:
            self._drip(page.content)
            return
        limit = page.cut if page.cut is not None else page.stall
        faulty = limit is not None and page.times > 0
        end = limit if faulty and limit is not None else len(page.content)
        self.wfile.write(page.content[start:end])
        if faulty:
            page.times -= 1
            if page.stall is not None:
                self.server.ends.wait()

    def _drip(self, content: bytes) -> None:
        for index in range(len(content)):
            if self.server.ends.wait(0.05):
                return
            try:
                self.wfile.write(content[index : index + 1])
            except OSError:
                return  # the other side has had enough

    def log_message(self, *_: object) -> None:
        """Silent."""


def _sha(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _tag(content: bytes) -> str:
    return f'"{_sha(content).hex()[:16]}"'
