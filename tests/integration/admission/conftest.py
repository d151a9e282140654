"""A real kube-apiserver on loopback that asks a real webhook process of the tests' own."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from activities.clients.kubernetes import Cluster
from deploy.local.cluster.kubeconfigs import mint_kubeconfig
from deploy.local.cluster.kubectl import kubectl
from deploy.local.host import daemons
from deploy.local.host.daemons import Daemon
from deploy.local.layout import Layout
from deploy.local.services import modelyard
from deploy.local.services.webhook import ensure_admission
from testing.api_server import ensure_installed
from testing.kubectl_client import Kubectl

ROOT = Path(__file__).parents[3]
DEADLINE_S = 60


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
        daemons.stop(self.layout, modelyard.WEBHOOK.name)

    def daemon(self) -> Daemon:
        kubeconfig = mint_kubeconfig(self.layout, modelyard.WEBHOOK.identity)
        made = modelyard.program_daemon(self.layout, modelyard.WEBHOOK, kubeconfig)
        return replace(made, env={**made.env, **self.environment})


@pytest.fixture(scope="package")
def api_server(shared_api_server: Layout) -> Iterator[Layout]:
    """With the CRD, the roles and, while these tests run, the webhook's registration."""
    layout = shared_api_server
    ensure_installed(layout)
    ensure_admission(layout, layout.admin_kubeconfig, layout.logs / "admission.log", lambda text: None)
    yield layout
    kubectl(layout.admin_kubeconfig, "delete", "validatingwebhookconfiguration", "modelyard")


@pytest.fixture
def webhook(api_server: Layout) -> Iterator[Webhook]:
    """Runs when a test begins, and does not when it has ended."""
    made = Webhook(api_server)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def cluster(admin: Cluster) -> Cluster:
    """The API server, with its owner's rights."""
    return admin


@pytest.fixture(name="kubectl")
def in_a_namespace(api_server: Layout, tmp_path: Path) -> Kubectl:
    made = Kubectl(api_server.admin_kubeconfig, tmp_path / "cache", tmp_path, f"t-{os.urandom(4).hex()}")
    made("create", "namespace", made.namespace)
    return made
