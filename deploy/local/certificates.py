"""The local stack's own certificate authority and the certificates that it signs.

Keys are P-256: made in a millisecond and understood by every Kubernetes version. A certificate is made again when its
names change, when the authority has changed, or when it is about to run out; otherwise the one on disk is kept.
"""

import fcntl
import ipaddress
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from deploy.local.layout import Layout

LIFETIME = timedelta(days=365)
# A stack that is up for a week must not outlive its certificates.
RENEW_BEFORE = timedelta(days=14)
CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key, both PEM files."""

    certificate: Path
    key: Path


def ensure_authority(layout: Layout) -> KeyPair:
    """The stack's CA, made on first use."""
    with _lock(layout):
        return _authority(layout)


def ensure_certificate(
    layout: Layout, file: str, *, common_name: str, organizations: Sequence[str] = (), hosts: Sequence[str] = ()
) -> KeyPair:
    """A certificate for client and server use, `<pki>/<file>.crt` and `.key`; `hosts`: DNS names and IP addresses."""
    with _lock(layout):
        return _certificate(layout, file, _name(common_name, organizations), _alternative_names(hosts))


def ensure_signing_key(layout: Layout, file: str) -> Path:
    """A bare private key, such as the one that signs ServiceAccount tokens."""
    path = layout.pki / f"{file}.key"
    with _lock(layout):
        if not path.exists():
            _write_private(path, ec.generate_private_key(ec.SECP256R1()))
    return path


def _authority(layout: Layout) -> KeyPair:
    pair = KeyPair(layout.pki / "ca.crt", layout.pki / "ca.key")
    if not _fresh(pair):
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"modelyard-{layout.instance}", ())
        builder = _builder(name, name, key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        _write(pair, builder.sign(key, hashes.SHA256()), key)
    return pair


def _certificate(layout: Layout, file: str, subject: x509.Name, names: x509.SubjectAlternativeName | None) -> KeyPair:
    authority = _authority(layout)
    pair = KeyPair(layout.pki / f"{file}.crt", layout.pki / f"{file}.key")
    issuer = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    if not (_fresh(pair) and _matches(pair, issuer, subject, names)):
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(subject, issuer.subject, key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(usages, critical=False)
        authority_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(_public(issuer))
        builder = builder.add_extension(authority_id, critical=False)
        if names:
            builder = builder.add_extension(names, critical=False)
        _write(pair, builder.sign(_load_key(authority.key), hashes.SHA256()), key)
    return pair


def _name(common_name: str, organizations: Sequence[str]) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative_names(hosts: Sequence[str]) -> x509.SubjectAlternativeName | None:
    return x509.SubjectAlternativeName([_alternative_name(host) for host in hosts]) if hosts else None


def _alternative_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _fresh(pair: KeyPair) -> bool:
    if not (pair.certificate.exists() and pair.key.exists()):
        return False
    certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    return certificate.not_valid_after_utc - datetime.now(UTC) > RENEW_BEFORE


def _matches(
    pair: KeyPair, issuer: x509.Certificate, subject: x509.Name, names: x509.SubjectAlternativeName | None
) -> bool:
    certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        found = None
    signed_by = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    same_authority = signed_by == x509.AuthorityKeyIdentifier.from_issuer_public_key(_public(issuer))
    return same_authority and certificate.subject == subject and found == names


def _public(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TypeError(f"the stack's authority has a {type(key).__name__}; remove its pki folder and start again")
    return key


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path} holds a {type(key).__name__}; remove the pki folder and start again")
    return key


def _write(pair: KeyPair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    _write_private(pair.key, key)
    pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _write_private(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.touch(mode=0o600)
    # Kubernetes 1.20 reads elliptic-curve keys for ServiceAccount tokens in the SEC1 form only ("EC PRIVATE KEY").
    form = serialization.PrivateFormat.TraditionalOpenSSL
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))


@contextmanager
def _lock(layout: Layout) -> Iterator[None]:
    """Control plane and nodes start side by side and ask for the same authority."""
    layout.pki.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (layout.pki / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
