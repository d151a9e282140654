"""Makes and checks certificates with elliptic-curve keys: an authority, and what it signs. Everything is PEM.

Keys are P-256: generated in a millisecond and supported by every Kubernetes version. Renewal and storage are left to
the callers: the webhook uses a Secret (`admin/webhook/certificates/bundle.py`), the local stack files.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLOCK_SKEW: Final = timedelta(minutes=5)
"""Certificates are backdated by this, for machines whose clocks are behind."""
SERVER: Final = (ExtendedKeyUsageOID.SERVER_AUTH,)
CLIENT_AND_SERVER: Final = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)

Pem = bytes
Extension = TypeVar("Extension", bound=x509.ExtensionType)


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key."""

    certificate: Pem
    key: Pem


@dataclass(frozen=True)
class Subject:
    """Subject of a certificate. `hosts`: DNS names and IP addresses of a server."""

    common_name: str
    organizations: Sequence[str] = ()
    hosts: Sequence[str] = ()

    @property
    def name(self) -> x509.Name:
        attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in self.organizations]
        return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, self.common_name)])

    @property
    def alternative_names(self) -> x509.SubjectAlternativeName | None:
        """The hosts as DNS names and IP addresses; None without hosts."""
        return x509.SubjectAlternativeName([_alternative_name(host) for host in self.hosts]) if self.hosts else None


def make_authority(common_name: str, *, now: datetime, lifetime: timedelta) -> Pair:
    """Returns a new self-signed CA certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    # The serial number makes names differ: some TLS libraries look an issuer up by its name alone.
    serial = x509.random_serial_number()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, f"{serial:x}"[:32]),
        ]
    )
    builder = _builder(name, name, key, serial, now, now + lifetime)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return Pair(certificate_pem(builder.sign(key, hashes.SHA256())), _key_pem(key))


def make_certificate(
    subject: Subject,
    authority: Pair,
    *,
    uses: Sequence[x509.ObjectIdentifier],
    now: datetime,
    lifetime: timedelta,
) -> Pair:
    """Returns a certificate signed by the authority, which it does not outlive. Raises ValueError if the authority's
    key was not made by this module."""
    issuer, key = x509.load_pem_x509_certificate(authority.certificate), ec.generate_private_key(ec.SECP256R1())
    end = min(now + lifetime, issuer.not_valid_after_utc)
    builder = _builder(subject.name, issuer.subject, key, x509.random_serial_number(), now, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    builder = builder.add_extension(_signed_by(issuer), critical=False)
    if names := subject.alternative_names:
        builder = builder.add_extension(names, critical=False)
    return Pair(certificate_pem(builder.sign(_load_key(authority.key), hashes.SHA256())), _key_pem(key))


def is_for(certificate: Pem, subject: Subject, authority: Pem) -> bool:
    """Whether the certificate is this authority's and has this subject, with its hosts."""
    found, issuer = x509.load_pem_x509_certificate(certificate), x509.load_pem_x509_certificate(authority)
    names, signed_by = _extension(found, x509.SubjectAlternativeName), _extension(found, x509.AuthorityKeyIdentifier)
    return signed_by == _signed_by(issuer) and found.subject == subject.name and names == subject.alternative_names


def expiry(certificate: Pem) -> datetime:
    """When the certificate expires."""
    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc


def certificate_pem(certificate: x509.Certificate) -> Pem:
    """The PEM encoding in which certificates are stored and compared."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, serial: int, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    return builder.serial_number(serial).not_valid_before(now - CLOCK_SKEW).not_valid_after(end)


def _alternative_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _extension(certificate: x509.Certificate, kind: type[Extension]) -> Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _signed_by(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    key_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id)


def _load_key(pem: Pem) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"the authority's key is a {type(key).__name__}; use an elliptic-curve key")
    return key


def _key_pem(key: ec.EllipticCurvePrivateKey) -> Pem:
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain)
