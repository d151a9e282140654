"""The SDK's metrics: a port that another process takes first is replaced by the next."""

import socket

import pytest

from process.health import free_loopback_port
from process.temporal import PORTS_TRIED, runtime_with_metrics


def test_a_port_that_is_taken_meanwhile_is_replaced_by_the_next() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([int(taken.getsockname()[1])])
        _, port = runtime_with_metrics(lambda: next(ports, 0) or free_loopback_port())
        assert port != taken.getsockname()[1]
    with socket.create_connection(("127.0.0.1", port)):
        pass


def test_no_free_port_is_an_error_in_the_end() -> None:
    asked: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:

        def choose() -> int:
            asked.append(1)
            return int(taken.getsockname()[1])

        with pytest.raises(ValueError, match="Address already in use"):
            runtime_with_metrics(choose)
    assert len(asked) == PORTS_TRIED
