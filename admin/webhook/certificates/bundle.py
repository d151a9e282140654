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
"""The share of its life after which a certificate is made anew."""


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
class CertificateBundle:
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


def first_certificates(hosts: Sequence[str], lifetimes: Lifetimes, now: datetime) -> CertificateBundle:
    """An authority and its certificate, where there was nothing."""
    authority = _new_authority(lifetimes, now)
    serving = _new_serving(authority, hosts, lifetimes, now)
    return CertificateBundle((authority.certificate,), authority.key, serving.certificate, serving.key)


def reissue(held: CertificateBundle, lifetimes: Lifetimes, now: datetime) -> CertificateBundle:
    """What to hold when the shared copy is gone: a new authority beside the old ones; what is served stays."""
    authority = _new_authority(lifetimes, now)
    return replace(
        held, authorities=_valid((*held.authorities, authority.certificate), now), authority_key=authority.key
    )


def kept_current(
    held: CertificateBundle, *, hosts: Sequence[str], lifetimes: Lifetimes, now: datetime, trusted: frozenset[Pem]
) -> CertificateBundle:
    """The same, or with what has come due made anew. `trusted`: the authorities that may sign by now.

    Where the serving certificate has ended, waiting for trust would save nothing: the newest authority signs at once.
    """
    if _due(held.newest, lifetimes.authority, now):
        held = reissue(held, lifetimes, now)
    stale = _due(held.certificate, lifetimes.serving, now) or not is_for(held.certificate, _subject(hosts), held.newest)
    if stale and (held.newest in trusted or expiry(held.certificate) <= now):
        serving = _new_serving(Pair(held.newest, held.authority_key), hosts, lifetimes, now)
        return replace(held, certificate=serving.certificate, key=serving.key)
    return replace(held, authorities=_valid(held.authorities, now))


def split_bundle(bundle: Pem) -> frozenset[Pem]:
    """Its certificates, each in the form in which we keep ours. Empty for what is no bundle of certificates."""
    try:
        found = x509.load_pem_x509_certificates(bundle)
    except ValueError:
        return frozenset()
    return frozenset(certificate_pem(certificate) for certificate in found)


def _due(certificate: Pem, lifetime: timedelta, now: datetime) -> bool:
    """Two thirds are over, or it was made for a longer life than is wanted now."""
    left = expiry(certificate) - now
    return left <= lifetime * (1 - RENEW_AT) or left > lifetime


def _valid(authorities: Sequence[Pem], now: datetime) -> tuple[Pem, ...]:
    """The newest always stays: it is replaced, never dropped."""
    return tuple(each for each in authorities if expiry(each) > now or each == authorities[-1])


def _new_authority(lifetimes: Lifetimes, now: datetime) -> Pair:
    return make_authority(AUTHORITY_NAME, now=now, lifetime=lifetimes.authority)


def _new_serving(authority: Pair, hosts: Sequence[str], lifetimes: Lifetimes, now: datetime) -> Pair:
    return make_certificate(_subject(hosts), authority, uses=SERVER, now=now, lifetime=lifetimes.serving)


def _subject(hosts: Sequence[str]) -> Subject:
    return Subject(SERVING_NAME, hosts=hosts)
