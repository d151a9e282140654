import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509

from deploy.local.cluster import certificates, kubeconfigs
from deploy.local.layout import Layout


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path))
    return Layout.of("test", with_nodes=False)


def loaded(pair: certificates.KeyPair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate.read_bytes())


def test_a_certificate_is_kept_until_its_names_change(layout: Layout) -> None:
    first = loaded(certificates.ensure_certificate(layout, "arm", common_name="arm", hosts=("127.0.0.1", "localhost")))
    again = loaded(certificates.ensure_certificate(layout, "arm", common_name="arm", hosts=("127.0.0.1", "localhost")))
    other = loaded(certificates.ensure_certificate(layout, "arm", common_name="arm", hosts=("10.201.1.1",)))
    assert first == again
    assert first != other


def test_a_new_authority_makes_every_certificate_new(layout: Layout) -> None:
    first = loaded(certificates.ensure_certificate(layout, "arm", common_name="arm"))
    (layout.pki / "ca.crt").unlink()
    second = loaded(certificates.ensure_certificate(layout, "arm", common_name="arm"))
    assert first != second
    second.verify_directly_issued_by(loaded(certificates.ensure_authority(layout)))


def test_certificates_outlive_a_year_less_a_day_and_private_keys_are_private(layout: Layout) -> None:
    pair = certificates.ensure_certificate(layout, "arm", common_name="arm")
    assert loaded(pair).not_valid_after_utc - datetime.now(UTC) > timedelta(days=364)
    for key in (pair.key, layout.pki / "ca.key", certificates.ensure_signing_key(layout, "tokens")):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_concurrent_requests_get_certificates_of_one_authority(layout: Layout) -> None:
    def ask(index: int) -> certificates.KeyPair:
        return certificates.ensure_certificate(layout, f"node-{index % 3}", common_name=f"node-{index % 3}")

    with ThreadPoolExecutor(6) as pool:
        pairs = list(pool.map(ask, range(12)))
    authority = loaded(certificates.ensure_authority(layout))
    for pair in pairs:
        loaded(pair).verify_directly_issued_by(authority)


def test_a_kubeconfig_carries_the_user_and_the_groups_in_its_certificate(layout: Layout) -> None:
    path = kubeconfigs.mint_kubeconfig(layout, "modelyard:worker-cloud", ("modelyard:workers",))
    assert path == layout.kubeconfig_of("modelyard-worker-cloud")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    document = yaml.safe_load(path.read_text())
    assert document["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:16543"
    certificate = x509.load_pem_x509_certificate(
        base64.b64decode(document["users"][0]["user"]["client-certificate-data"])
    )
    assert certificate.subject.rfc4514_string() == "CN=modelyard:worker-cloud,O=modelyard:workers"
