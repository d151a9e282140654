"""Certificates of a Temporal behind mutual TLS and of its clients, of an authority that is made anew each time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from process.x509 import CLIENT_AND_SERVER, SERVER, Pair, Subject, make_authority, make_certificate
from testing.faults.temporal_proxy import LOOPBACK, MutualTls

LIFETIME: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Authority:
    """A CA with one server's and one client's certificate."""

    ca: Pair
    server: Pair
    client: Pair

    @classmethod
    def made(cls, host: str = LOOPBACK) -> "Authority":
        """Of a server at this host."""
        now = datetime.now(UTC)
        ca = make_authority("temporal", now=now, lifetime=LIFETIME)
        server = Subject("temporal", hosts=[host])
        return cls(
            ca=ca,
            server=make_certificate(server, ca, uses=SERVER, now=now, lifetime=LIFETIME),
            client=make_certificate(Subject("modelyard"), ca, uses=CLIENT_AND_SERVER, now=now, lifetime=LIFETIME),
        )

    @property
    def tls(self) -> MutualTls:
        """The server's side of it."""
        return MutualTls(self.server, self.ca.certificate)
