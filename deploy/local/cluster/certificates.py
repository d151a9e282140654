"""Keeps the local stack's own certificate authority and the certificates that it signs, as files.

A certificate is renewed if its names or the authority have changed, or if it is about to expire; otherwise the one on
disk is kept. `process/x509.py` creates them.
"""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deploy.local.layout import Layout
from process.x509 import CLIENT_AND_SERVER, Pair, Subject, expiry, is_for, make_authority, make_certificate

LIFETIME = timedelta(days=365)
# A stack that is up for a week must not outlive its certificates.
RENEW_BEFORE = timedelta(days=14)


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key, both PEM files."""

    certificate: Path
    key: Path


def ensure_authority(layout: Layout) -> KeyPair:
    """Returns the stack's CA, created on first use."""
    with _lock(layout):
        return _authority(layout)


def ensure_certificate(
    layout: Layout, file: str, *, common_name: str, organizations: Sequence[str] = (), hosts: Sequence[str] = ()
) -> KeyPair:
    """Returns a certificate for clients and servers, `<pki>/<file>.crt` and `.key`; `hosts`: DNS names, IPs."""
    with _lock(layout):
        return _certificate(layout, file, Subject(common_name, organizations, hosts))


def ensure_signing_key(layout: Layout, file: str) -> Path:
    """Returns a bare private key, such as the one that signs ServiceAccount tokens; created on first use."""
    path = layout.pki / f"{file}.key"
    with _lock(layout):
        if not path.exists():
            # Kubernetes 1.20 reads elliptic-curve keys for ServiceAccount tokens in the SEC1 form only.
            form, plain = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            key = ec.generate_private_key(ec.SECP256R1())
            _write_private(path, key.private_bytes(serialization.Encoding.PEM, form, plain))
    return path


def _authority(layout: Layout) -> KeyPair:
    pair = KeyPair(layout.pki / "ca.crt", layout.pki / "ca.key")
    now = datetime.now(UTC)
    if not _fresh(pair, now):
        _write(pair, make_authority(f"modelyard-{layout.instance}", now=now, lifetime=LIFETIME))
    return pair


def _certificate(layout: Layout, file: str, subject: Subject) -> KeyPair:
    authority = _read(_authority(layout))
    pair = KeyPair(layout.pki / f"{file}.crt", layout.pki / f"{file}.key")
    now = datetime.now(UTC)
    if not (_fresh(pair, now) and is_for(pair.certificate.read_bytes(), subject, authority.certificate)):
        _write(pair, make_certificate(subject, authority, uses=CLIENT_AND_SERVER, now=now, lifetime=LIFETIME))
    return pair


def _fresh(pair: KeyPair, now: datetime) -> bool:
    if not (pair.certificate.exists() and pair.key.exists()):
        return False
    return expiry(pair.certificate.read_bytes()) - now > RENEW_BEFORE


def _read(pair: KeyPair) -> Pair:
    return Pair(pair.certificate.read_bytes(), pair.key.read_bytes())


def _write(pair: KeyPair, made: Pair) -> None:
    _write_private(pair.key, made.key)
    pair.certificate.write_bytes(made.certificate)


def _write_private(path: Path, key: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(key)


@contextmanager
def _lock(layout: Layout) -> Iterator[None]:
    """Locks the folder: control plane and nodes start in parallel and need the same authority."""
    layout.pki.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (layout.pki / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
