"""Holds the webhook's certificates and decides when to renew them. Pure: time and trusted authorities are arguments.

An authority signs one serving certificate. Both are renewed after two thirds of their lifetime. A new authority is
trusted before it signs: it signs only once the API server has had its certificate for one interval, so that the served
certificate is always trusted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

from process.x509 import (
    SERVER,
    Pair,
    Pem,
    Subject,
    certificate_pem,
    expiry,
    is_for,
    make_authority,
    make_certificate,
)

AUTHORITY_NAME: Final = "modelyard-webhook-ca"
SERVING_NAME: Final = "modelyard-webhook"
RENEW_AT: Final = 2 / 3
"""The fraction of its lifetime after which a certificate is renewed."""


@dataclass(frozen=True)
class Lifetimes:
    """Lifetimes of the authority and of the serving certificate, which must be much shorter."""

    authority: timedelta
    serving: timedelta

    def __post_init__(self) -> None:
        if self.serving * 3 > self.authority:
            raise ValueError(
                f"a serving certificate may live a third as long as its authority: {self.serving} of {self.authority}; "
                "set MODELYARD_WEBHOOK_AUTHORITY_LIFETIME higher or MODELYARD_WEBHOOK_CERTIFICATE_LIFETIME lower"
            )


@dataclass(frozen=True)
class CertificateBundle:
    """State shared by all replicas. `authorities`: the valid ones, oldest first; `authority_key` is the last one's."""

    authorities: tuple[Pem, ...]
    authority_key: Pem
    certificate: Pem
    key: Pem

    @property
    def bundle(self) -> Pem:
        """The CA bundle for the API server."""
        return b"".join(self.authorities)

    @property
    def newest(self) -> Pem:
        return self.authorities[-1]


def first_certificates(hosts: Sequence[str], lifetimes: Lifetimes, now: datetime) -> CertificateBundle:
    """Creates the initial authority and serving certificate."""
    authority = _new_authority(lifetimes, now)
    serving = _new_serving(authority, hosts, lifetimes, now)
    return CertificateBundle((authority.certificate,), authority.key, serving.certificate, serving.key)


def reissue(held: CertificateBundle, lifetimes: Lifetimes, now: datetime) -> CertificateBundle:
    """Adds a new authority to the old ones and keeps the serving certificate; also used if the Secret is gone."""
    authority = _new_authority(lifetimes, now)
    return replace(
        held, authorities=_valid((*held.authorities, authority.certificate), now), authority_key=authority.key
    )


def kept_current(
    held: CertificateBundle, *, hosts: Sequence[str], lifetimes: Lifetimes, now: datetime, trusted: frozenset[Pem]
) -> CertificateBundle:
    """Returns the bundle with everything that is due renewed. `trusted`: the authorities that may sign already.

    If the serving certificate has expired, waiting for trust is useless: the newest authority signs at once.
    """
    if _due(held.newest, lifetimes.authority, now):
        held = reissue(held, lifetimes, now)
    stale = _due(held.certificate, lifetimes.serving, now) or not is_for(held.certificate, _subject(hosts), held.newest)
    if stale and (held.newest in trusted or expiry(held.certificate) <= now):
        serving = _new_serving(Pair(held.newest, held.authority_key), hosts, lifetimes, now)
        return replace(held, certificate=serving.certificate, key=serving.key)
    return replace(held, authorities=_valid(held.authorities, now))


def split_bundle(bundle: Pem) -> frozenset[Pem]:
    """Returns the certificates of a bundle in the encoding of `certificate_pem`. Empty if it cannot be parsed."""
    try:
        found = x509.load_pem_x509_certificates(bundle)
    except ValueError:
        return frozenset()
    return frozenset(certificate_pem(certificate) for certificate in found)


def _due(certificate: Pem, lifetime: timedelta, now: datetime) -> bool:
    """Whether two thirds of the lifetime are over, or the remaining lifetime exceeds the configured one."""
    left = expiry(certificate) - now
    return left <= lifetime * (1 - RENEW_AT) or left > lifetime


def _valid(authorities: Sequence[Pem], now: datetime) -> tuple[Pem, ...]:
    """Drops expired authorities, but never the newest: it is only replaced."""
    return tuple(each for each in authorities if expiry(each) > now or each == authorities[-1])


def _new_authority(lifetimes: Lifetimes, now: datetime) -> Pair:
    return make_authority(AUTHORITY_NAME, now=now, lifetime=lifetimes.authority)


def _new_serving(authority: Pair, hosts: Sequence[str], lifetimes: Lifetimes, now: datetime) -> Pair:
    return make_certificate(_subject(hosts), authority, uses=SERVER, now=now, lifetime=lifetimes.serving)


def _subject(hosts: Sequence[str]) -> Subject:
    return Subject(SERVING_NAME, hosts=hosts)
