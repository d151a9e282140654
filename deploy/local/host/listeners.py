"""Lists the listening TCP ports of this machine from the kernel's tables (read by psutil, so `ss` is not needed).

Whether a port conflicts is decided in `stack/checks.py`.
"""

from dataclasses import dataclass
from textwrap import shorten

import psutil

UNKNOWN_PID = 0
COMMAND_WIDTH = 100


@dataclass(frozen=True)
class Listener:
    """`pid` is UNKNOWN_PID if the owner is not visible to us (another user's process, and we are not root)."""

    address: str
    port: int
    pid: int
    command: str

    def conflicts_with(self, address: str) -> bool:
        """True when nothing else can listen on this port of `address`."""
        return self.address in (address, "0.0.0.0", "::")

    def __str__(self) -> str:
        who = f"pid {self.pid} ({shorten(self.command, COMMAND_WIDTH)})" if self.pid else "a process only root can see"
        return f"{who} on {self.address}:{self.port}"


def listeners() -> list[Listener]:
    """Returns every listening TCP socket of this network namespace."""
    return [
        Listener(each.laddr.ip, each.laddr.port, each.pid or UNKNOWN_PID, _command(each.pid) if each.pid else "")
        for each in psutil.net_connections("tcp")
        if each.status == psutil.CONN_LISTEN and each.laddr
    ]


def _command(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.NoSuchProcess:
        return "ended meanwhile"
    except psutil.AccessDenied:
        return "a command only root can see"
