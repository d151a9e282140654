"""A certificate that others keep: new ones are taken up, and what cannot be used leaves the served one alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from process.serving.given_certificate import GivenCertificate
from process.serving.tls import Certificates
from process.x509 import SERVER, Pair, Subject, make_authority, make_certificate


def a_pair() -> Pair:
    now, day = datetime.now(UTC), timedelta(days=1)
    authority = make_authority("somebody's", now=now, lifetime=day)
    return make_certificate(Subject("webhook", hosts=["127.0.0.1"]), authority, uses=SERVER, now=now, lifetime=day)


class Folder:
    """A folder with a certificate, and what was served of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.served: list[Pair] = []
        self.given = GivenCertificate(path, 1.0, self._serve)

    def hold(self, certificate: bytes, key: bytes) -> None:
        (self.path / "tls.crt").write_bytes(certificate)
        (self.path / "tls.key").write_bytes(key)

    def _serve(self, pair: Pair) -> None:
        Certificates().use(pair)  # as the server does: raises ssl.SSLError for what it cannot serve
        self.served.append(pair)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_an_empty_folder_is_looked_at_again(folder: Folder) -> None:
    assert not folder.given.look() and not folder.given.registered


def test_a_certificate_is_served_once_and_a_new_one_instead(folder: Folder) -> None:
    first, second = a_pair(), a_pair()
    folder.hold(first.certificate, first.key)
    assert folder.given.look() and folder.given.look() and folder.given.registered
    folder.hold(second.certificate, second.key)
    assert folder.given.look()
    assert folder.served == [first, second]


@pytest.mark.parametrize("certificate", [b"", b"no certificate", None])
def test_what_cannot_be_used_leaves_the_served_one(folder: Folder, certificate: bytes | None) -> None:
    first, second = a_pair(), a_pair()
    folder.hold(first.certificate, first.key)
    assert folder.given.look()
    folder.hold(second.certificate if certificate is None else certificate, first.key)
    assert not folder.given.look() and folder.given.registered
    folder.hold(second.certificate, second.key)
    assert folder.given.look()
    assert folder.served == [first, second]
