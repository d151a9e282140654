"""Certificates: what an authority signs, and for whom a certificate is."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from process.x509 import (
    CLIENT_AND_SERVER,
    SERVER,
    Pair,
    Subject,
    expiry,
    is_for,
    make_authority,
    make_certificate,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
KUBELET = Subject("system:node:a", ("system:nodes",), ("a.example.com", "192.0.2.1"))


@pytest.fixture(scope="module")
def authority() -> Pair:
    return make_authority("test", now=NOW, lifetime=YEAR)


@pytest.fixture(scope="module")
def certificate(authority: Pair) -> bytes:
    return make_certificate(KUBELET, authority, uses=SERVER, now=NOW, lifetime=YEAR).certificate


def test_a_certificate_is_for_its_subject(certificate: bytes, authority: Pair) -> None:
    assert is_for(certificate, KUBELET, authority.certificate)


@pytest.mark.parametrize(
    "other",
    [
        Subject("system:node:b", KUBELET.organizations, KUBELET.hosts),
        Subject(KUBELET.common_name, (), KUBELET.hosts),
        Subject(KUBELET.common_name, KUBELET.organizations, ("a.example.com",)),
        Subject(KUBELET.common_name, KUBELET.organizations),
    ],
    ids=["name", "organizations", "hosts", "no hosts"],
)
def test_it_is_for_no_other_subject(certificate: bytes, authority: Pair, other: Subject) -> None:
    assert not is_for(certificate, other, authority.certificate)


def test_another_authority_of_the_same_name_did_not_sign_it(certificate: bytes) -> None:
    other = make_authority("test", now=NOW, lifetime=YEAR)
    assert not is_for(certificate, KUBELET, other.certificate)


def test_authorities_of_one_name_can_be_told_apart_by_name(authority: Pair) -> None:
    other = make_authority("test", now=NOW, lifetime=YEAR)
    one, two = (x509.load_pem_x509_certificate(each.certificate).subject for each in (authority, other))
    assert one != two


def test_a_certificate_does_not_outlive_its_authority(authority: Pair) -> None:
    late = make_certificate(KUBELET, authority, uses=CLIENT_AND_SERVER, now=NOW + YEAR / 2, lifetime=YEAR)
    assert expiry(late.certificate) == expiry(authority.certificate) == NOW + YEAR


def test_an_authority_with_a_key_of_another_kind_signs_nothing(authority: Pair) -> None:
    key = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match="use an elliptic-curve key"):
        make_certificate(KUBELET, Pair(authority.certificate, key), uses=SERVER, now=NOW, lifetime=YEAR)
