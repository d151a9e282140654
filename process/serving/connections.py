"""A listening socket with a bound on its connections, whoever opens them and whatever is spoken on them.

Where there is no room, the address with the most connections loses its oldest: a neighbour that opens hundreds ends its
own, and the API server's few stay. What a connection may cost in time is left to `requests.py`.
"""

import contextlib
import socket
from collections import Counter
from typing import Any, Final

CONNECTIONS: Final = 200
"""A TLS connection costs asyncio a buffer of 256 KiB: 50 MiB for all."""


class BoundedListener(socket.socket):
    """Listens as `socket.create_server` does, for a server that closes what it has accepted.

    `most`: connections that are open at a time.
    """

    def __init__(self, host: str, port: int, most: int = CONNECTIONS) -> None:
        """Raises OSError naming the address if it cannot be bound."""
        plain = socket.create_server((host, port))
        super().__init__(plain.family, plain.type, plain.proto, fileno=plain.detach())
        self._most = most
        self._open: dict[_Accepted, str] = {}  # in the order in which they came

    def accept(self) -> tuple[socket.socket, Any]:
        """Returns the next connection, for which an older one may have ended."""
        descriptor, address = self._accept()  # type: ignore[attr-defined]  # as socket.accept does
        if len(self._open) >= self._most:
            self._end_one()
        accepted = _Accepted(self, descriptor)
        self._open[accepted] = address[0]
        return accepted, address

    def forget(self, accepted: "_Accepted") -> None:
        """Takes note that a connection is closed."""
        self._open.pop(accepted, None)

    def _end_one(self) -> None:
        [(greediest, _)] = Counter(self._open.values()).most_common(1)
        oldest = next(each for each, address in self._open.items() if address == greediest)
        del self._open[oldest]
        # Not closed: the server still has it, reads its end, and closes it.
        with contextlib.suppress(OSError):
            oldest.shutdown(socket.SHUT_RDWR)


class _Accepted(socket.socket):
    """A connection that its listener counts until it is closed."""

    def __init__(self, listener: BoundedListener, descriptor: int) -> None:
        super().__init__(listener.family, listener.type, listener.proto, fileno=descriptor)
        self._listener = listener

    def close(self) -> None:
        """Closes it."""
        self._listener.forget(self)
        super().close()
