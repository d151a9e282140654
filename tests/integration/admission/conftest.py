"""A real kube-apiserver on loopback that asks a real webhook process, both of the tests' own.

No controllers and no kubelets: what is stored is looked at, nothing acts on it.
"""

import json
import os
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pytest

from activities.kubernetes_api import Cluster
from deploy.local import daemons, product
from deploy.local.admission import ensure_admission
from deploy.local.cluster_resources import ensure_crds, ensure_roles
from deploy.local.commands import output_of
from deploy.local.control_plane import start_control_plane, stop_control_plane
from deploy.local.daemons import Daemon
from deploy.local.kubeconfigs import mint_kubeconfig
from deploy.local.kubectl import kubectl_argv
from deploy.local.layout import Layout, Ports

ROOT = Path(__file__).parents[3]
DEADLINE_S = 60


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "integration/admission" in item.nodeid:
            item.add_marker(pytest.mark.integration)


@dataclass
class Webhook:
    """The process; `environment` adds to its settings."""

    layout: Layout
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, **environment: str) -> None:
        """Returns when it serves and the API server trusts it."""
        self.environment = {"PYTHONPATH": str(ROOT), **environment}
        daemons.start(self.layout, self.daemon())

    def stop(self) -> None:
        daemons.stop(self.layout, product.WEBHOOK.name)

    def daemon(self) -> Daemon:
        kubeconfig = mint_kubeconfig(self.layout, product.WEBHOOK.identity)
        made = product.program_daemon(self.layout, product.WEBHOOK, kubeconfig)
        return replace(made, env={**made.env, **self.environment})


@dataclass(frozen=True)
class Kubectl:
    """kubectl in a namespace of the test's own; raises CommandFailed with what it says."""

    kubeconfig: Path
    folder: Path
    namespace: str

    def __call__(self, *arguments: str) -> str:
        options = (f"--namespace={self.namespace}", f"--cache-dir={self.folder / 'cache'}")
        return output_of(kubectl_argv(self.kubeconfig, *options, *arguments), deadline_s=DEADLINE_S)

    def send(self, verb: str, obj: dict[str, Any], *arguments: str) -> str:
        """`kubectl create|apply|replace -f` of an object."""
        file = self.folder / "object.json"
        file.write_text(json.dumps(obj))
        return self(verb, "-f", str(file), *arguments)


@pytest.fixture(scope="package")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """etcd and kube-apiserver with the CRD, the roles and the webhook's registration."""
    folder = tmp_path_factory.mktemp("admission")
    layout = replace(Layout.of("test", with_nodes=False), state=folder / "state", ports=_free_ports())
    start_control_plane(layout, controllers=False)
    try:
        log = layout.logs / "setup.log"
        for ensure in (ensure_crds, ensure_roles):
            ensure(layout.admin_kubeconfig, log, _quiet)
        ensure_admission(layout, layout.admin_kubeconfig, log, _quiet)
        yield layout
    finally:
        daemons.stop(layout, product.WEBHOOK.name)
        stop_control_plane(layout)


@pytest.fixture
def webhook(api_server: Layout) -> Iterator[Webhook]:
    """Runs when a test begins, and does not when it has ended."""
    made = Webhook(api_server)
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def cluster(api_server: Layout) -> AsyncIterator[Cluster]:
    """The API server, with its owner's rights."""
    made = await Cluster.connect(str(api_server.admin_kubeconfig))
    yield made
    await made.close()


@pytest.fixture
def kubectl(api_server: Layout, tmp_path: Path) -> Kubectl:
    made = Kubectl(api_server.admin_kubeconfig, tmp_path, f"t-{os.urandom(4).hex()}")
    made("create", "namespace", made.namespace)
    return made


def _quiet(text: str) -> None:
    return None


def _free_ports() -> Ports:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in fields(Ports)]
    numbers = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return Ports(**dict(zip((field.name for field in fields(Ports)), numbers, strict=True)))
