"""The status server of a pod under clients that say nothing, hundreds of times."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from runtime.pod import status_server
from runtime.pod.status_server import CONNECTIONS, start_status_server
from testing.deadlines import PATIENCE_S

HOST = "127.0.0.1"


class Idle:
    """Work that has not begun."""

    def metrics(self) -> str:
        return "up 1\n"

    def state(self) -> dict[str, Any]:
        return {"phase": "idle"}


@pytest.fixture
def port() -> Iterator[int]:
    server = start_status_server(Idle(), 0, HOST)
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()


def ended(connection: socket.socket) -> bool:
    """Whether the server closes it in time."""
    connection.settimeout(PATIENCE_S)
    with contextlib.suppress(ConnectionError):
        return connection.recv(1) == b""
    return True


def test_hundreds_of_silent_connections_take_few_threads_and_no_probe_waits(port: int) -> None:
    before = threading.active_count()
    opened = [socket.create_connection((HOST, port)) for _ in range(200)]
    try:
        for _ in range(20):
            assert httpx.get(f"http://{HOST}:{port}/healthz", trust_env=False, timeout=PATIENCE_S).is_success
            assert threading.active_count() <= before + CONNECTIONS
        assert ended(opened[0])
    finally:
        for each in opened:
            each.close()


def test_a_half_head_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_server, "SILENCE_S", 0.2)
    server = start_status_server(Idle(), 0, HOST)
    before = threading.active_count()
    with socket.create_connection((HOST, server.server_address[1])) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert ended(client)
    ends = time.monotonic() + PATIENCE_S
    while threading.active_count() > before and time.monotonic() < ends:
        time.sleep(0.01)
    assert threading.active_count() <= before
    server.shutdown()
    server.server_close()


def test_a_client_that_goes_away_leaves_no_word(port: int, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_connection((HOST, port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        client.sendall(b"GET /healthz HTTP/1.1\r\n")
    assert httpx.get(f"http://{HOST}:{port}/metrics", trust_env=False, timeout=PATIENCE_S).text == "up 1\n"
    assert capfd.readouterr().err == ""
