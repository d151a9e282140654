"""An ARM emulator in its own process, on loopback and without machines, and the unmodified Azure SDK against it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.containerservice.aio import ContainerServiceClient
from azure.mgmt.containerservice.models import AgentPool

from activities.clients import azure as azure_client
from activities.clients.azure import AzureSettings
from deploy.local.azure.control_client import Address, ControlClient
from deploy.local.azure.identity import Identity
from deploy.local.host import probes
from deploy.local.layout import Layout
from testing.deadlines import PATIENCE_S
from testing.ports import free_port

POLL_S = 0.05
QUICK = ("--create-seconds", "0.3", "--update-seconds", "0.1", "--delete-seconds", "0.2", "--retry-after-seconds", "0")


class LocalCredential:
    """Hands the SDK the token that the ARM emulator asks for."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken(self._token, int(time.time()) + 3600)

    async def close(self) -> None:
        return None

    async def __aenter__(self) -> "LocalCredential":
        return self

    async def __aexit__(self, *failure: object) -> None:
        return None


class ArmEmulator:
    """The process: started, killed, started again on the same port and records."""

    def __init__(
        self, home: Path, *options: str, instance: str = "arm", with_nodes: bool = False, port: int = 0
    ) -> None:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("MODELYARD_HOME", str(home))
            self.layout = Layout.of(instance, with_nodes=with_nodes)
        self._environment = os.environ | {"MODELYARD_HOME": str(home)}
        self.port = port or free_port()
        self._argv = [sys.executable, "-m", "deploy.local.azure", "--layout-instance", instance, *QUICK]
        self._argv += ["--port", str(self.port), *(() if with_nodes else ("--loopback", "--nodes", "none")), *options]
        self._log = home / "arm.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"https://{self.layout.address}:{self.port}"

    @property
    def address(self) -> Address:
        token = (self.layout.state / "azure-token").read_text()
        return Address(url=self.url, ca=self.layout.pki / "ca.crt", token=token)

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._argv, env=self._environment, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE_S
        ca = self.layout.pki / "ca.crt"
        # Its own certificate is written last: once that is there, the authority's file is whole.
        while not ((self.layout.pki / "arm.crt").exists() and probes.answers(f"{self.url}/_control/state", ca=ca)):
            assert self._process.poll() is None and time.monotonic() < deadline, self._log.read_text()
            time.sleep(POLL_S)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def stop(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(PATIENCE_S)

    def azure(self, **options: Any) -> ContainerServiceClient:
        """The SDK's client for this ARM emulator."""
        return ContainerServiceClient(
            LocalCredential(self.address.token), Identity().subscription, **_sdk_options(self.address), **options
        )

    def compute(self) -> ComputeManagementClient:
        return ComputeManagementClient(
            LocalCredential(self.address.token), Identity().subscription, **_sdk_options(self.address)
        )


class Pools:
    """The agent pools of the one cluster: the SDK's operations with the names that never change left out."""

    def __init__(self, client: ContainerServiceClient) -> None:
        self.client = client
        self._scope = (Identity().group, Identity().cluster)

    async def create(self, name: str, *, wait: bool = True, **properties: Any) -> Any:
        poller = await self.begin(name, **properties)
        return await poller.result() if wait else poller

    async def begin(self, name: str, options: dict[str, Any] | None = None, **properties: Any) -> Any:
        asked = {"vmSize": "Standard_NC24ads_A100_v4", "count": 1} | properties
        return await self.client.agent_pools.begin_create_or_update(
            *self._scope, name, AgentPool({"properties": asked}), **(options or {})
        )

    async def resume(self, name: str, token: str) -> Any:
        return await self.client.agent_pools.begin_create_or_update(
            *self._scope, name, AgentPool(), continuation_token=token
        )

    async def get(self, name: str) -> Any:
        return await self.client.agent_pools.get(*self._scope, name)

    async def names(self) -> list[str]:
        return [str(pool.name) async for pool in self.client.agent_pools.list(*self._scope)]

    async def delete(self, name: str, **options: Any) -> None:
        await (await self.begin_delete(name, **options)).result()

    async def begin_delete(self, name: str, **options: Any) -> Any:
        return await self.client.agent_pools.begin_delete(*self._scope, name, **options)

    async def cluster(self) -> Any:
        return await self.client.managed_clusters.get(*self._scope)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArmEmulator]:
    """One process for all tests of a file; each test uses pools of its own."""
    started = ArmEmulator(tmp_path_factory.mktemp("arm"))
    try:
        started.start()
        yield started
        # uvicorn shuts down in order and then ends by the signal that asked for it.
        assert started.stop() == -signal.SIGTERM
    finally:
        started.kill()


@pytest.fixture
def new_emulator(tmp_path: Path) -> Iterator[Callable[..., ArmEmulator]]:
    """Makes emulators of the test's own, and ends them."""
    with contextlib.ExitStack() as ended:

        def make(*options: str, home: Path = tmp_path, **where: Any) -> ArmEmulator:
            made = ArmEmulator(home, *options, **where)
            ended.callback(made.kill)
            made.start()
            return made

        yield make


@pytest.fixture
def control(emulator: ArmEmulator) -> Iterator[ControlClient]:
    """The control endpoint; faults and settings are as before when the test ends."""
    client = ControlClient(emulator.address)
    settings = client.state()["settings"]
    yield client
    client.clear_faults()
    client.change_settings(**settings)


@pytest.fixture
async def pools(emulator: ArmEmulator) -> AsyncIterator[Pools]:
    async with emulator.azure() as client:
        yield Pools(client)


@pytest.fixture
def error_of() -> Callable[[BaseException], str]:
    """The code of an Azure error: what the SDK parsed from the body."""

    def code(error: BaseException) -> str:
        parsed: Any = getattr(error, "error", None)
        return str(parsed.code) if parsed else ""

    return code


def _sdk_options(address: Address) -> dict[str, Any]:
    return {
        "base_url": address.url,
        "credential_scopes": ["https://management.azure.com/.default"],
        "connection_verify": str(address.ca),
        "polling_interval": POLL_S,
    }


@pytest.fixture
def azure_settings(emulator: Any, tmp_path: Path) -> AzureSettings:
    """As a cloud worker is told them."""
    token = tmp_path / "token"
    token.write_text(emulator.address.token)
    identity = Identity()
    return AzureSettings(
        subscription_id=identity.subscription, resource_group=identity.group, cluster=identity.cluster,
        location="eastus", endpoint=emulator.url, ca_file=emulator.address.ca, credential=f"token-file:{token}",
        polling_interval=POLL_S,
    )  # fmt: skip


@pytest.fixture
async def azure(azure_settings: AzureSettings) -> AsyncIterator[azure_client.Azure]:
    async with contextlib.AsyncExitStack() as stack:
        yield await azure_client.connect(azure_settings, stack)
