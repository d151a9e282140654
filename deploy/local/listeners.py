"""Who listens on which TCP port of this machine, as the kernel's own tables say.

Read from /proc instead of asking `ss`: the answer is needed before any package is known to be there.
"""

import contextlib
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

LISTEN = "0A"
UNKNOWN_PID = 0
COMMAND_WIDTH = 100


@dataclass(frozen=True)
class Listener:
    """`pid` is UNKNOWN_PID where the owner is not ours to see (another user's process, and we are not root)."""

    address: str
    port: int
    pid: int
    command: str

    def hinders(self, address: str) -> bool:
        """True when nothing else can listen on this port of `address`."""
        return self.address in (address, "0.0.0.0", "::")

    def __str__(self) -> str:
        who = f"pid {self.pid} ({shorten(self.command, COMMAND_WIDTH)})" if self.pid else "a process only root can see"
        return f"{who} on {self.address}:{self.port}"


def listeners() -> list[Listener]:
    """Every listening TCP socket of this network namespace."""
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    sockets = [entry for table in tables if table.exists() for entry in listening_sockets(table.read_text())]
    owners = _owners({inode for _, _, inode in sockets})
    return [Listener(address, port, *owners.get(inode, (UNKNOWN_PID, ""))) for address, port, inode in sockets]


def listening_sockets(table: str) -> list[tuple[str, int, str]]:
    """(address, port, inode) of each listening line in the text of /proc/net/tcp or tcp6."""
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if fields[3] == LISTEN:
            address, port = fields[1].split(":")
            found.append((_address(address), int(port, 16), fields[9]))
    return found


def _address(text: str) -> str:
    # The kernel prints each 32-bit word in the byte order of the machine.
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    return socket.inet_ntop(socket.AF_INET if len(words) == 1 else socket.AF_INET6, packed)


def _owners(inodes: set[str]) -> dict[str, tuple[int, str]]:
    """Pid and command line for those of the socket inodes whose owner we may look at."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    found: dict[str, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        held = _open_files(entry) & wanted.keys()
        for link in held:
            found[wanted[link]] = (int(entry.name), _command(entry))
    return found


def _open_files(entry: Path) -> set[str]:
    """What the process' descriptors point at, without those closed while we look; empty where we may not look."""
    found: set[str] = set()
    try:
        descriptors = list((entry / "fd").iterdir())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return found
    for descriptor in descriptors:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            found.add(os.readlink(descriptor))
    return found


def _command(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return "ended meanwhile"
