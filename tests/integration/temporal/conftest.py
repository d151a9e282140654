"""A dev server, a proxy in front of it that asks for credentials, and certificates that can be changed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from process.settings import TemporalSettings
from process.x509 import Pair
from testing.faults.temporal_proxy import TemporalProxy
from testing.ports import free_port
from tests.temporal_servers import dev_server


@dataclass(frozen=True)
class Mounted:
    """The files of a mounted Secret."""

    folder: Path

    def write(self, *, ca: bytes, client: Pair) -> None:
        """As the kubelet does: each file is replaced as a whole."""
        for name, content in (("ca.crt", ca), ("tls.crt", client.certificate), ("tls.key", client.key)):
            new = self.folder / f".{name}"
            new.write_bytes(content)
            new.rename(self.folder / name)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(self.folder / "ca.crt"),
            "TEMPORAL_TLS_CLIENT_CERT_PATH": str(self.folder / "tls.crt"),
            "TEMPORAL_TLS_CLIENT_KEY_PATH": str(self.folder / "tls.key"),
        }


@pytest.fixture(scope="session")
async def server() -> AsyncIterator[WorkflowEnvironment]:
    """The real server, which asks for nothing."""
    async with dev_server() as environment:
        yield environment


@pytest.fixture
async def proxy(server: WorkflowEnvironment) -> AsyncIterator[TemporalProxy]:
    """Listens, without TLS and for anybody as yet."""
    # Its port is bound again and again: in between nobody else may get it.
    made = TemporalProxy(server.client.service_client.config.target_host, port=free_port())
    await made.listen()
    yield made
    await made.close()


@pytest.fixture
def settings(proxy: TemporalProxy) -> TemporalSettings:
    """Of a process that is to use the proxy."""
    return TemporalSettings(temporal_address=proxy.address)


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mounted:
    """Named by this process' environment, as a pod's would."""
    made = Mounted(tmp_path)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made
