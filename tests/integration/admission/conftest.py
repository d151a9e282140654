"""A real kube-apiserver on loopback that asks a real webhook process, both of the tests' own.

No controllers and no kubelets: what is stored is looked at, nothing acts on it.
"""

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from activities.kubernetes_api import Cluster
from deploy.local import daemons, product
from deploy.local.admission import ensure_admission
from deploy.local.cluster_resources import ensure_crds, ensure_roles
from deploy.local.daemons import Daemon
from deploy.local.kubeconfigs import mint_kubeconfig
from deploy.local.layout import Layout
from tests.harness.api_server import api_server_alone
from tests.harness.kubectl_client import Kubectl

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
        daemons.stop(self.layout, product.WEBHOOK.name)

    def daemon(self) -> Daemon:
        kubeconfig = mint_kubeconfig(self.layout, product.WEBHOOK.identity)
        made = product.program_daemon(self.layout, product.WEBHOOK, kubeconfig)
        return replace(made, env={**made.env, **self.environment})


@pytest.fixture(scope="package")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """etcd and kube-apiserver with the CRD, the roles and the webhook's registration."""
    folder = tmp_path_factory.mktemp("admission")
    with api_server_alone(folder) as layout:
        log = layout.logs / "setup.log"
        for ensure in (ensure_crds, ensure_roles):
            ensure(layout.admin_kubeconfig, log, _quiet)
        ensure_admission(layout, layout.admin_kubeconfig, log, _quiet)
        yield layout
        daemons.stop(layout, product.WEBHOOK.name)


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
    made = Kubectl(api_server.admin_kubeconfig, tmp_path / "cache", tmp_path, f"t-{os.urandom(4).hex()}")
    made("create", "namespace", made.namespace)
    return made


def _quiet(text: str) -> None:
    return None
