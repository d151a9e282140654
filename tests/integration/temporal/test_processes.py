"""The whole product at a Temporal as others run it: behind mutual TLS, whose certificates are all renewed while a
Workspace is brought up; without the OperatorService and without search attributes; and with both. Real watcher, workers
and admin.

`pytest -s` prints the figures that docs/performance.md has.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode, TLSConfig

from deploy.local.layout import Layout
from testing.checkouts import ROOT
from testing.deadlines import DEADLINES, PATIENCE_S
from testing.faults.temporal_authority import Authority
from testing.faults.temporal_proxy import LOOPBACK, OPERATOR_SERVICE
from testing.leftovers import settled_leftovers
from testing.ports import free_port
from testing.stack import Stack, keep_logs, running
from testing.workspaces import Workspaces, connected, workspace
from tests.integration.temporal.conftest import Mounted
from tests.lanes import instance_of_this_lane

USERS: Final = ("watcher", "worker-cluster", "worker-cloud", "admin")
IN_USE: Final = "changed credentials of Temporal are in use: tls"
LACKS: Final = "lacks search attributes"
BUYING_S: Final = 15.0
"""How long ARM takes for a node pool: longer than the ten seconds between two looks at the certificates."""


@dataclass(frozen=True)
class Terms:
    """What a Temporal asks for and what it refuses."""

    mutual_tls: bool = False
    operator_service: bool = True


TERMS: Final = {
    "mutual TLS": Terms(mutual_tls=True),
    "no OperatorService": Terms(operator_service=False),
    "both": Terms(mutual_tls=True, operator_service=False),
}


@dataclass
class Front:
    """A proxy in front of the instance's Temporal, a process of its own, and the files that its clients have."""

    terms: Terms
    port: int
    certificates: Path
    mounted: Mounted
    authority: Authority = field(default_factory=Authority.made)

    def __post_init__(self) -> None:
        self._write()

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def environment(self) -> Mapping[str, str]:
        """By which processes reach it."""
        tls = self.mounted.environment if self.terms.mutual_tls else {"TEMPORAL_TLS": "false"}
        return tls | {"MODELYARD_TEMPORAL_ADDRESS": self.address, "MODELYARD_TEMPORAL_ENVCONFIG": "true"}

    def argv(self, target: str) -> list[str]:
        """Of the proxy."""
        argv = [sys.executable, "-m", "testing.faults.temporal_proxy", "--target", target, "--port", str(self.port)]
        argv += ["--folder", str(self.certificates)] if self.terms.mutual_tls else []
        return argv + ([] if self.terms.operator_service else ["--refuse", OPERATOR_SERVICE])

    def exchange(self) -> None:
        """Writes new certificates for both sides, of an authority that nobody knew."""
        self.authority = Authority.made()
        self._write()

    def _write(self) -> None:
        self.authority.tls.write(self.certificates)
        self.mounted.write(ca=self.authority.ca.certificate, client=self.authority.client)

    async def client(self) -> Client:
        """A client of it, with all that it asks for."""
        own = self.authority
        shown = TLSConfig(own.ca.certificate, client_cert=own.client.certificate, client_private_key=own.client.key)
        return await Client.connect(self.address, tls=shown if self.terms.mutual_tls else False)

    async def stranger(self) -> Client:
        """A client that knows the server's CA and shows no certificate. Raises RuntimeError where one is asked for."""
        known = TLSConfig(self.authority.ca.certificate)
        return await Client.connect(self.address, tls=known if self.terms.mutual_tls else False)


class Guarded:
    """A stack whose processes reach Temporal over such a proxy."""

    def __init__(self, stack: Stack, proxy: "subprocess.Popen[bytes]", front: Front) -> None:
        self.stack, self.front, self._proxy = stack, front, proxy

    async def renew(self) -> float:
        """Exchanges every certificate, where there are any; returns the seconds until each process uses the new one."""
        began = time.monotonic()
        if self.front.terms.mutual_tls:
            self.front.exchange()
            self._proxy.send_signal(signal.SIGHUP)
            async with asyncio.timeout(PATIENCE_S):
                while [name for name in USERS if IN_USE not in self.log(name)]:
                    await asyncio.sleep(0.2)
        return time.monotonic() - began

    def pids(self) -> dict[str, int]:
        """Of every process that uses Temporal."""
        return {name: self.stack.pid(name) for name in USERS}

    def log(self, name: str) -> str:
        """What a process has said."""
        return (self.stack.layout.logs / f"{name}.log").read_text()


@pytest.fixture(scope="module", params=TERMS.values(), ids=list(TERMS))
def guarded(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Guarded]:
    terms: Terms = request.param
    mounted = Mounted(tmp_path_factory.mktemp("client"))
    front = Front(terms, free_port(), tmp_path_factory.mktemp("server"), mounted)
    instance, failed = instance_of_this_lane(), request.session.testsfailed
    settings = {"MODELYARD_DEADLINES": DEADLINES, **front.environment}
    quiet = os.environ | {"GRPC_VERBOSITY": "NONE"}  # it tells every refused handshake
    with subprocess.Popen(front.argv(Layout.of(instance).temporal_address), cwd=ROOT, env=quiet) as proxy:
        try:
            with running(instance, settings, search_attributes=terms.operator_service) as stack:
                yield Guarded(stack, proxy, front)
                if request.session.testsfailed > failed:
                    keep_logs(stack.layout)
        finally:
            proxy.terminate()


@pytest.fixture
async def workspaces(guarded: Guarded) -> AsyncIterator[Workspaces]:
    """Over Temporal itself, which the test looks at."""
    async with connected(guarded.stack.layout) as made:
        yield made


async def test_it_asks_for_and_refuses_what_is_said(guarded: Guarded) -> None:
    """Otherwise the lives below would show nothing."""
    terms = guarded.front.terms
    if terms.mutual_tls:
        with pytest.raises(RuntimeError):
            await guarded.front.stranger()
    service = (await guarded.front.client()).operator_service
    if terms.operator_service:
        await service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
        return
    with pytest.raises(RPCError) as refused:
        await service.list_search_attributes(ListSearchAttributesRequest(namespace="default"))
    assert refused.value.status is RPCStatusCode.PERMISSION_DENIED


async def test_what_lacks_is_said_where_nobody_may_make_it(guarded: Guarded) -> None:
    assert (LACKS in guarded.log("watcher")) is not guarded.front.terms.operator_service


async def test_a_whole_life_and_every_certificate_renewed_in_it(guarded: Guarded, workspaces: Workspaces) -> None:
    before, began = guarded.pids(), time.monotonic()
    guarded.stack.arm.change_settings(create_seconds=BUYING_S)
    await workspaces.create(workspace("guarded"))
    await workspaces.until_running("guarded", "ensure_node_pool")
    renewed = await guarded.renew()
    await workspaces.until_ready("guarded")
    ready = time.monotonic() - began
    await workspaces.delete("guarded")
    await workspaces.until_gone("guarded")
    gone = time.monotonic() - began - ready
    assert await settled_leftovers(guarded.stack, workspaces) == {}
    assert guarded.pids() == before, "nothing was restarted"
    print(f"{guarded.front.terms}: Ready after {ready:.1f} s, renewed in {renewed:.1f} s, gone in {gone:.1f} s")
    print(f"process ids before and after: {before}")
