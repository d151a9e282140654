"""What a process says when Temporal does not take it: where it looked, what to change, and no secret."""

import socket
from pathlib import Path

import pytest

from process.connection.errors import NotConnected
from process.settings import TemporalSettings
from process.temporal import connect
from testing.faults.temporal_authority import Authority
from testing.faults.temporal_proxy import TemporalProxy
from tests.integration.temporal.conftest import Mounted


async def refusal(settings: TemporalSettings) -> str:
    """What `connect` says."""
    with pytest.raises(NotConnected) as caught:
        await connect(settings)
    return str(caught.value)


@pytest.fixture(scope="module")
def trusted() -> Authority:
    return Authority.made()


@pytest.fixture(scope="module")
def foreign() -> Authority:
    return Authority.made()


async def test_credentials_that_are_accepted(
    proxy: TemporalProxy, settings: TemporalSettings, mounted: Mounted, trusted: Authority
) -> None:
    mounted.write(ca=trusted.ca.certificate, client=trusted.client)
    await proxy.listen(trusted.tls)
    client = await connect(settings)
    assert (await client.count_workflows("WorkflowType = 'none'")).count == 0


async def test_a_client_certificate_of_another_authority(
    proxy: TemporalProxy, settings: TemporalSettings, mounted: Mounted, trusted: Authority, foreign: Authority
) -> None:
    mounted.write(ca=trusted.ca.certificate, client=foreign.client)
    await proxy.listen(trusted.tls)
    assert "refuses the client certificate: renew it, from the CA it trusts" in await refusal(settings)


async def test_a_server_certificate_of_another_authority(
    proxy: TemporalProxy, settings: TemporalSettings, mounted: Mounted, trusted: Authority, foreign: Authority
) -> None:
    mounted.write(ca=foreign.ca.certificate, client=trusted.client)
    await proxy.listen(trusted.tls)
    said = await refusal(settings)
    assert "signed by another CA: name the CA of the server's certificate with TEMPORAL_TLS_SERVER_CA_CERT_PATH" in said
    assert f"Temporal at {proxy.address}, namespace default" in said


async def test_no_client_certificate(
    proxy: TemporalProxy,
    settings: TemporalSettings,
    mounted: Mounted,
    trusted: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mounted.write(ca=trusted.ca.certificate, client=trusted.client)
    await proxy.listen(trusted.tls)
    monkeypatch.delenv("TEMPORAL_TLS_CLIENT_KEY_PATH")
    assert "give both TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH" in await refusal(settings)
    monkeypatch.delenv("TEMPORAL_TLS_CLIENT_CERT_PATH")
    assert "wants a client certificate: set TEMPORAL_TLS_CLIENT_CERT_PATH" in await refusal(settings)


async def test_a_key_of_another_certificate_and_files_that_are_no_pem(
    proxy: TemporalProxy, settings: TemporalSettings, mounted: Mounted, trusted: Authority, foreign: Authority
) -> None:
    mounted.write(ca=trusted.ca.certificate, client=trusted.client)
    await proxy.listen(trusted.tls)
    mounted.folder.joinpath("tls.key").write_bytes(foreign.client.key)
    assert "do not belong together: mount both from one Secret" in await refusal(settings)
    mounted.folder.joinpath("tls.key").write_bytes(b"no key")
    assert "TEMPORAL_TLS_CLIENT_KEY_PATH has no private key: it must be" in await refusal(settings)
    mounted.folder.joinpath("tls.key").write_bytes(trusted.client.key)
    mounted.folder.joinpath("tls.crt").write_bytes(b"no certificate")
    assert "the file of the client certificate has none" in await refusal(settings)


async def test_another_name_than_the_certificates(
    proxy: TemporalProxy,
    settings: TemporalSettings,
    mounted: Mounted,
    trusted: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mounted.write(ca=trusted.ca.certificate, client=trusted.client)
    await proxy.listen(trusted.tls)
    monkeypatch.setenv("TEMPORAL_TLS_SERVER_NAME", "temporal.example")
    assert "set TEMPORAL_TLS_SERVER_NAME to one of them" in await refusal(settings)


async def test_one_side_speaks_tls_and_the_other_does_not(
    proxy: TemporalProxy, settings: TemporalSettings, trusted: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_TLS", "true")
    assert "the server speaks no TLS at this port: set TEMPORAL_TLS=false" in await refusal(settings)
    await proxy.listen(trusted.tls)
    monkeypatch.delenv("TEMPORAL_TLS")
    assert "as one does that wants TLS: set TEMPORAL_TLS=true" in await refusal(settings)


async def test_an_api_key_that_is_refused_and_none_where_one_is_wanted(
    proxy: TemporalProxy, settings: TemporalSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.keys = ("the-right-one",)
    assert "the server wants a credential: set MODELYARD_TEMPORAL_API_KEY_FILE" in await refusal(settings)
    monkeypatch.setenv("TEMPORAL_TLS", "false")
    file = tmp_path / "key"
    file.write_text("the-wrong-one\n")
    said = await refusal(settings.model_copy(update={"temporal_api_key_file": file}))
    assert "the API key is refused" in said and "the-wrong-one" not in said
    file.write_text("the-right-one\n")
    await connect(settings.model_copy(update={"temporal_api_key_file": file}))


async def test_nobody_listens_and_no_such_host(settings: TemporalSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = f"127.0.0.1:{taken.getsockname()[1]}"
    assert "nothing listens there" in await refusal(settings.model_copy(update={"temporal_address": free}))
    nowhere = settings.model_copy(update={"temporal_address": "nowhere.invalid:7233"})
    assert "no such host: correct MODELYARD_TEMPORAL_ADDRESS" in await refusal(nowhere)


async def test_a_namespace_that_is_not_there(settings: TemporalSettings) -> None:
    said = await refusal(settings.model_copy(update={"temporal_namespace": "team-a"}))
    assert "temporal operator namespace create --namespace team-a --retention" in said
