"""The whole product behind mutual TLS, without the OperatorService and without search attributes: real watcher, workers
and admin, whose certificates are renewed while a Workspace is brought up.
"""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deploy.local.layout import Layout
from process.health import free_loopback_port
from testing.checkouts import ROOT
from testing.deadlines import DEADLINES, PATIENCE_S
from testing.faults.temporal_proxy import LOOPBACK, OPERATOR_SERVICE
from testing.leftovers import settled_leftovers
from testing.stack import Stack, keep_logs, running
from testing.workspaces import Workspaces, connected, workspace
from tests.integration.temporal.conftest import Authority, Mounted
from tests.lanes import instance_of_this_lane

USERS = ("watcher", "worker-cluster", "worker-cloud", "admin")
IN_USE = "changed credentials of Temporal are in use: tls"


class Guarded:
    """A stack whose processes reach Temporal over a proxy that asks for client certificates."""

    def __init__(self, stack: Stack, proxy: "subprocess.Popen[bytes]", folder: Path, mounted: Mounted) -> None:
        self.stack, self._proxy, self._folder, self._mounted = stack, proxy, folder, mounted

    async def renew(self) -> None:
        """New certificates on both sides, of an authority that nobody knew; returns when every process uses them."""
        newer = Authority.made()
        newer.tls.write(self._folder)
        self._proxy.send_signal(signal.SIGHUP)
        self._mounted.write(ca=newer.ca.certificate, client=newer.client)
        async with asyncio.timeout(PATIENCE_S):
            while [name for name in USERS if IN_USE not in self.log(name)]:
                await asyncio.sleep(0.2)

    def log(self, name: str) -> str:
        """What a process has said."""
        return (self.stack.layout.logs / f"{name}.log").read_text()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Guarded]:
    folder, mounted = tmp_path_factory.mktemp("server"), Mounted(tmp_path_factory.mktemp("client"))
    authority, instance, port = Authority.made(), instance_of_this_lane(), free_loopback_port()
    authority.tls.write(folder)
    mounted.write(ca=authority.ca.certificate, client=authority.client)
    target = Layout.of(instance).temporal_address
    argv = [sys.executable, "-m", "testing.faults.temporal_proxy", "--target", target, "--port", str(port)]
    argv += ["--folder", str(folder), "--refuse", OPERATOR_SERVICE]
    settings = mounted.environment | {
        "MODELYARD_DEADLINES": DEADLINES,
        "MODELYARD_TEMPORAL_ADDRESS": f"{LOOPBACK}:{port}",
        "MODELYARD_TEMPORAL_ENVCONFIG": "true",
    }
    with subprocess.Popen(argv, cwd=ROOT) as proxy:
        try:
            with running(instance, settings, search_attributes=False) as stack:
                yield Guarded(stack, proxy, folder, mounted)
                if request.session.testsfailed:
                    keep_logs(stack.layout)
        finally:
            proxy.terminate()


@pytest.fixture
async def workspaces(guarded: Guarded) -> AsyncIterator[Workspaces]:
    """Over Temporal itself, which the test looks at."""
    async with connected(guarded.stack.layout) as made:
        yield made


async def test_a_whole_life_while_every_certificate_is_renewed(guarded: Guarded, workspaces: Workspaces) -> None:
    pids = {name: guarded.stack.pid(name) for name in USERS}
    assert "lacks search attributes" in guarded.log("watcher")
    guarded.stack.arm.change_settings(create_seconds=15.0)
    await workspaces.create(workspace("guarded"))
    await workspaces.until_running("guarded", "ensure_node_pool")
    await guarded.renew()
    await workspaces.until_ready("guarded")
    await workspaces.delete("guarded")
    await workspaces.until_gone("guarded")
    assert await settled_leftovers(guarded.stack, workspaces) == {}
    assert {name: guarded.stack.pid(name) for name in USERS} == pids, "nothing was restarted"
