"""A real kube-apiserver on loopback that asks a real webhook process of the tests' own."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from activities.clients.kubernetes import Cluster
from deploy.local.cluster import owner_client
from deploy.local.cluster.kubeconfigs import mint_kubeconfig
from deploy.local.cluster.kubectl import kubectl
from deploy.local.host import daemons
from deploy.local.host.daemons import Daemon
from deploy.local.layout import Layout
from deploy.local.services import modelyard
from deploy.local.services.webhook import ensure_admission
from testing.api_server import ensure_installed
from testing.deadlines import PATIENCE_S
from testing.kubectl_client import Kubectl
from testing.workspaces import workspace

ROOT = Path(__file__).parents[3]
DENIED = "denied the request"
WORKSPACES = "/apis/kaito.sh/v1beta1/namespaces/default/workspaces?dryRun=All"


@dataclass
class Webhook:
    """The process; `environment` adds to its settings."""

    layout: Layout
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, **environment: str) -> None:
        """Returns when it serves and the API server goes by what it says. The process is ready when its certificate is
        registered; the API server hears of the registration by a watch of its own, a moment later."""
        self.environment = {"PYTHONPATH": str(ROOT), **environment}
        daemons.start(self.layout, self.daemon())
        until_answered(self.layout, denied=True)

    def stop(self) -> None:
        daemons.stop(self.layout, modelyard.WEBHOOK.name)

    def daemon(self) -> Daemon:
        kubeconfig = mint_kubeconfig(self.layout, modelyard.WEBHOOK.identity)
        made = modelyard.program_daemon(self.layout, modelyard.WEBHOOK, kubeconfig)
        return replace(made, env={**made.env, **self.environment})


def until_answered(layout: Layout, *, denied: bool) -> None:
    """Returns when the API server refuses what the webhook refuses, or takes it, as without a webhook."""
    ends = time.monotonic() + PATIENCE_S
    said = _answer(layout)
    while DENIED not in said if denied else said:
        assert time.monotonic() < ends, said or "it is taken"
        time.sleep(0.05)
        said = _answer(layout)


def _answer(layout: Layout) -> str:
    """Why a Workspace for a machine that nobody sells is refused; empty if it is taken."""
    body = workspace("asked-for-nothing", instance_type="Standard_Imaginary")
    try:
        owner_client.request(layout, "POST", WORKSPACES, body, "application/json")
    except owner_client.ClusterApiError as error:
        return str(error)
    return ""


@pytest.fixture(scope="package")
def api_server(shared_api_server: Layout) -> Iterator[Layout]:
    """With the CRD, the roles and, while these tests run, the webhook's registration."""
    layout = shared_api_server
    ensure_installed(layout)
    ensure_admission(layout, layout.admin_kubeconfig, layout.logs / "admission.log", lambda text: None)
    yield layout
    kubectl(layout.admin_kubeconfig, "delete", "validatingwebhookconfiguration", "modelyard")
    until_answered(layout, denied=False)


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
