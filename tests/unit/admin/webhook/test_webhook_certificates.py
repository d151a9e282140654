"""When certificates are made, who signs them, and what the API server is told to trust at each moment."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from admin.webhook.certificates.bundle import (
    CertificateBundle,
    Lifetimes,
    first_certificates,
    kept_current,
    reissue,
    split_bundle,
)
from process.x509 import expiry

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LIFETIMES = Lifetimes(authority=300 * DAY, serving=90 * DAY)
HOSTS = ["webhook.system.svc", "127.0.0.1"]


def loaded(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def current(
    held: CertificateBundle, now: datetime, *, trusted: frozenset[bytes], hosts: list[str] = HOSTS
) -> CertificateBundle:
    return kept_current(held, hosts=hosts, lifetimes=LIFETIMES, now=now, trusted=trusted)


@pytest.fixture(scope="module")
def first() -> CertificateBundle:
    return first_certificates(HOSTS, LIFETIMES, NOW)


def test_the_first_authority_signs_at_once_for_every_host(first: CertificateBundle) -> None:
    loaded(first.certificate).verify_directly_issued_by(loaded(first.newest))
    names = loaded(first.certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["webhook.system.svc"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert first.bundle == first.newest


@pytest.mark.parametrize("days", [0, 1, 59])
def test_nothing_is_made_before_two_thirds_of_the_life_are_over(first: CertificateBundle, days: int) -> None:
    assert current(first, NOW + days * DAY, trusted=frozenset({first.newest})) == first


def test_the_serving_certificate_is_renewed_at_two_thirds_and_the_authority_stays(first: CertificateBundle) -> None:
    renewed = current(first, NOW + 60 * DAY, trusted=frozenset({first.newest}))
    assert renewed.certificate != first.certificate
    assert renewed.authorities == first.authorities
    assert expiry(renewed.certificate) == NOW + 150 * DAY


def test_a_new_authority_is_trusted_before_it_signs(first: CertificateBundle) -> None:
    first = current(first, NOW + 150 * DAY, trusted=frozenset({first.newest}))
    second = current(first, NOW + 200 * DAY, trusted=frozenset())
    assert second.certificate == first.certificate
    assert split_bundle(second.bundle) == {first.newest, second.newest}
    waiting = current(second, NOW + 200 * DAY, trusted=frozenset({first.newest}))
    assert waiting == second
    signed = current(second, NOW + 200 * DAY, trusted=split_bundle(second.bundle))
    loaded(signed.certificate).verify_directly_issued_by(loaded(second.newest))
    assert split_bundle(signed.bundle) == {first.newest, second.newest}


@pytest.mark.parametrize("days", [91, 301, 4000])
def test_after_a_long_outage_the_first_round_repairs_all(first: CertificateBundle, days: int) -> None:
    now = NOW + days * DAY
    mended = current(first, now, trusted=frozenset())
    loaded(mended.certificate).verify_directly_issued_by(loaded(mended.newest))
    assert expiry(mended.certificate) > now
    assert all(expiry(authority) > now for authority in mended.authorities)


def test_an_authority_is_trusted_no_longer_than_it_lives(first: CertificateBundle) -> None:
    second = current(first, NOW + 200 * DAY, trusted=frozenset({first.newest}))
    later = current(second, NOW + 301 * DAY, trusted=split_bundle(second.bundle))
    assert current(later, NOW + 301 * DAY, trusted=split_bundle(second.bundle)).authorities == (second.newest,)


def test_other_hosts_mean_another_certificate(first: CertificateBundle) -> None:
    renewed = current(first, NOW, trusted=frozenset({first.newest}), hosts=["other.system.svc"])
    names = loaded(renewed.certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["other.system.svc"]


def test_a_lost_copy_costs_a_new_authority_and_not_the_trust_in_what_is_served(first: CertificateBundle) -> None:
    after = reissue(first, LIFETIMES, NOW)
    assert (after.certificate, after.key) == (first.certificate, first.key)
    assert after.authorities == (first.newest, after.newest)
    assert after.authority_key != first.authority_key


def test_a_certificate_never_outlives_its_authority() -> None:
    late = first_certificates(HOSTS, LIFETIMES, NOW)
    renewed = current(late, NOW + 250 * DAY, trusted=frozenset({late.newest}))
    assert renewed.newest != late.newest
    assert expiry(renewed.certificate) <= expiry(renewed.newest)


def test_a_clock_that_is_behind_finds_new_certificates_valid(first: CertificateBundle) -> None:
    for pem in (first.newest, first.certificate):
        assert loaded(pem).not_valid_before_utc <= NOW - timedelta(minutes=4)


def test_lifetimes_that_leave_no_time_to_rotate_are_refused() -> None:
    with pytest.raises(ValueError, match="a third as long as its authority"):
        Lifetimes(authority=100 * DAY, serving=90 * DAY)


@pytest.mark.parametrize("bundle", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_an_invalid_bundle_trusts_no_authority(bundle: bytes) -> None:
    assert split_bundle(bundle) == frozenset()
