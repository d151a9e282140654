"""A port that a test has chosen for a server is nobody else's, although nothing listens there yet."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from testing.ports import RANGE, free_port

MANY: Final = 200
"""So many of two processes would hardly be different ones by chance."""
CHOOSING: Final = f"""
from testing.ports import free_port
print(*(free_port() for _ in range({MANY})), flush=True)
input()
"""


@contextmanager
def of_a_process() -> Iterator[set[int]]:
    """Ports that a process has chosen, which lives during the block."""
    argv = [sys.executable, "-c", CHOOSING]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as chooser:
        assert chooser.stdout is not None and chooser.stdin is not None
        yield {int(port) for port in chooser.stdout.readline().split()}
        chooser.stdin.write("\n")


def test_no_port_is_chosen_twice() -> None:
    with of_a_process() as one, of_a_process() as other:
        assert len(one) == len(other) == MANY
        assert not one & other
        assert all(port in RANGE for port in one)


def test_a_server_can_bind_it() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as server:
        assert server.getsockname()[1] == port
