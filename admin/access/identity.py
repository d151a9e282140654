"""Who asks, and the ways in which a request is refused for it. Whom to ask is left to `kubernetes.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from admin.access.rights import Right


@dataclass(frozen=True)
class Identity:
    """A user as the API server knows it, with all by which it judges rights."""

    name: str
    uid: str = ""
    groups: Sequence[str] = ()
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)


class Refused(Exception):
    """A request is refused. `status`: 401 for somebody who is not known, 403 without the right, 503 if nobody could be
    asked. The message names the fix."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class Access(Protocol):
    """Knows who asks and what they may do."""

    async def identify(self, token: str) -> Identity:
        """Returns whose token it is; without a token it is empty. Raises Refused."""

    async def require(self, identity: Identity, right: Right) -> None:
        """Raises Refused without the right."""


class Everybody:
    """Asks nobody: for loopback only, where whoever asks is on this machine already."""

    async def identify(self, token: str) -> Identity:
        """Returns the same for all."""
        return Identity("somebody on this machine")

    async def require(self, identity: Identity, right: Right) -> None:
        """Refuses nothing."""
