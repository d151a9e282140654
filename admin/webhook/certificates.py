"""Which certificates the webhook has, and when it makes new ones. Pure: the clock and what is trusted are arguments.

An authority signs one serving certificate. Both are renewed when two thirds of their life are over. A new authority is
first only trusted; it signs once the API server has had its certificate for a while, so that at no moment there is a
serving certificate that the API server does not trust.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from admin.webhook.hosts import alternative_names

AUTHORITY_NAME: Final = "modelyard-webhook-ca"
CLOCK_SKEW: Final = timedelta(minutes=5)
"""A certificate is valid this long before it was made, for API servers whose clocks are behind."""
RENEW_AT: Final = 2 / 3
"""The share of its life after which a certificate is made anew."""

Pem = bytes


@dataclass(frozen=True)
class Lifetimes:
    """Of the authority and of the serving certificate, which must end long before its authority does."""

    authority: timedelta
    serving: timedelta

    def __post_init__(self) -> None:
        if self.serving * 3 > self.authority:
            raise ValueError(
                f"a serving certificate may live a third as long as its authority: {self.serving} of {self.authority}; "
                "set MODELYARD_WEBHOOK_AUTHORITY_LIFETIME higher or MODELYARD_WEBHOOK_CERTIFICATE_LIFETIME lower"
            )


@dataclass(frozen=True)
class Held:
    """What all replicas share. `authorities`: those still valid, oldest first; `authority_key` is the last one's."""

    authorities: tuple[Pem, ...]
    authority_key: Pem
    certificate: Pem
    key: Pem

    @property
    def bundle(self) -> Pem:
        """What the API server is to trust."""
        return b"".join(self.authorities)

    @property
    def newest(self) -> Pem:
        return self.authorities[-1]


def first_certificates(hosts: Sequence[str], lifetimes: Lifetimes, now: datetime) -> Held:
    """An authority and its certificate, where there was nothing."""
    authority, authority_key = _new_authority(lifetimes, now)
    certificate, key = _new_serving(authority, authority_key, hosts, lifetimes, now)
    return Held((authority,), authority_key, certificate, key)


def after_loss(held: Held, lifetimes: Lifetimes, now: datetime) -> Held:
    """What to hold when the shared copy is gone: a new authority beside the old ones; what is served stays."""
    authority, key = _new_authority(lifetimes, now)
    return replace(held, authorities=_valid((*held.authorities, authority), now), authority_key=key)


def kept_current(
    held: Held, *, hosts: Sequence[str], lifetimes: Lifetimes, now: datetime, trusted: frozenset[Pem]
) -> Held:
    """The same, or with what has come due made anew. `trusted`: the authorities that may sign by now.

    Where the serving certificate has ended, waiting for trust would save nothing: the newest authority signs at once.
    """
    if _due(held.newest, lifetimes.authority, now):
        held = after_loss(held, lifetimes, now)
    stale = _due(held.certificate, lifetimes.serving, now) or not _serves(held, hosts)
    if stale and (held.newest in trusted or expiry(held.certificate) <= now):
        certificate, key = _new_serving(held.newest, held.authority_key, hosts, lifetimes, now)
        return replace(held, certificate=certificate, key=key)
    return replace(held, authorities=_valid(held.authorities, now))


def split_bundle(bundle: Pem) -> frozenset[Pem]:
    """Its certificates, each in the form in which we keep ours. Empty for what is no bundle of certificates."""
    try:
        found = x509.load_pem_x509_certificates(bundle)
    except ValueError:
        return frozenset()
    return frozenset(_pem(certificate) for certificate in found)


def expiry(certificate: Pem) -> datetime:
    """When it ends."""
    return _load(certificate).not_valid_after_utc


def _due(certificate: Pem, lifetime: timedelta, now: datetime) -> bool:
    """Two thirds are over, or it was made for a longer life than is wanted now."""
    left = expiry(certificate) - now
    return left <= lifetime * (1 - RENEW_AT) or left > lifetime


def _valid(authorities: Sequence[Pem], now: datetime) -> tuple[Pem, ...]:
    """The newest always stays: it is replaced, never dropped."""
    return tuple(each for each in authorities if expiry(each) > now or each == authorities[-1])


def _serves(held: Held, hosts: Sequence[str]) -> bool:
    """Whether the certificate is the newest authority's and is for these hosts."""
    certificate, authority = _load(held.certificate), _load(held.newest)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    by = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    return names == alternative_names(hosts) and by.key_identifier == _key_id(authority).digest


def _new_authority(lifetimes: Lifetimes, now: datetime) -> tuple[Pem, Pem]:
    key = ec.generate_private_key(ec.SECP256R1())
    # The serial number makes names differ: some TLS libraries look an issuer up by its name alone.
    serial = x509.random_serial_number()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, AUTHORITY_NAME),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, f"{serial:x}"[:32]),
        ]
    )
    builder = _builder(name, name, key.public_key(), serial, now, now + lifetimes.authority)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return _pem(builder.sign(key, hashes.SHA256())), _key_pem(key)


def _new_serving(
    authority: Pem, authority_key: Pem, hosts: Sequence[str], lifetimes: Lifetimes, now: datetime
) -> tuple[Pem, Pem]:
    issuer, key = _load(authority), ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "modelyard-webhook")])
    end = min(now + lifetimes.serving, issuer.not_valid_after_utc)
    builder = _builder(subject, issuer.subject, key.public_key(), x509.random_serial_number(), now, end)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(alternative_names(hosts), critical=False)
    by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(_key_id(issuer))
    builder = builder.add_extension(by, critical=False)
    return _pem(builder.sign(_load_key(authority_key), hashes.SHA256())), _key_pem(key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, serial: int, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key).serial_number(serial)
    return builder.not_valid_before(now - CLOCK_SKEW).not_valid_after(end)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
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


def _key_id(certificate: x509.Certificate) -> x509.SubjectKeyIdentifier:
    return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value


def _load(certificate: Pem) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificate)


def _load_key(pem: Pem) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"the authority's key is a {type(key).__name__}, and ours are elliptic-curve keys")
    return key


def _pem(certificate: x509.Certificate) -> Pem:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> Pem:
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain)
