"""TCP ports on loopback for servers that tests start: nobody else's until the test process ends.

A port that was free a moment ago may be taken before its server binds: by a connection to somewhere, if it is one of
those that Linux takes for them, or by another test process. So ports come from below that range, and a lock keeps each
for the process that has chosen it. Servers that can bind port 0 themselves need none of this.
"""

import fcntl
import os
import random
import socket
import tempfile
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Final

from deploy.local.layout import LOOPBACK, Ports

RANGE: Final = range(24_000, 30_000)
"""Above the ports of instances (deploy/local/layout.py), below NodePorts (Kubernetes: from 30000 on) and those of
connections (Linux, net.ipv4.ip_local_port_range: from 32768 on)."""


def free_port() -> int:
    """Returns one that is this process'. Raises OSError when there is none."""
    folder = Path(tempfile.gettempdir()) / "modelyard-test-ports"
    folder.mkdir(exist_ok=True)
    for port in random.sample(RANGE, len(RANGE)):
        lock = os.open(folder / str(port), os.O_RDWR | os.O_CREAT)  # left open: the lock ends with the process
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.create_server((LOOPBACK, port)):
                return port
        os.close(lock)
    raise OSError(f"no port from {RANGE.start} to {RANGE.stop} is free on {LOOPBACK}")


def free_ports() -> Ports:
    """Returns such ports for all of one instance of the stack."""
    return Ports(**{field.name: free_port() for field in fields(Ports)})
