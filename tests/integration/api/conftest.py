"""A real kube-apiserver on loopback with the CRD applied, and kubectl in a namespace of the test's own."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.layout import Layout
from testing.kubectl_client import DEADLINE_S, Kubectl

ROOT = Path(__file__).parents[3]
CRD_FILE = ROOT / "deploy" / "crds" / "kaito.sh_workspaces.yaml"


@pytest.fixture(scope="session")
def api_server(shared_api_server: Layout) -> Layout:
    return shared_api_server


@pytest.fixture(scope="session")
def cluster_kubectl(api_server: Layout, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """kubectl in `default`, with the CRD applied and published."""
    cache, folder = tmp_path_factory.mktemp("kubectl-cache"), tmp_path_factory.mktemp("kubectl")
    kubectl = Kubectl(api_server.admin_kubeconfig, cache, folder, "default")
    kubectl("apply", "-f", str(CRD_FILE))
    _wait_until_published(kubectl)
    return kubectl


@pytest.fixture
def kubectl(cluster_kubectl: Kubectl, tmp_path: Path) -> Kubectl:
    """kubectl in a namespace that only this test uses; what the test leaves there goes with the server."""
    namespace = f"t-{os.urandom(4).hex()}"
    cluster_kubectl("create", "namespace", namespace)
    return replace(cluster_kubectl, folder=tmp_path, namespace=namespace)


def _wait_until_published(kubectl: Kubectl) -> None:
    """Established comes first; kubectl validates and explains only once the OpenAPI document has both versions.

    Read raw, because kubectl would cache a discovery without them.
    """
    deadline = time.monotonic() + DEADLINE_S
    wanted = {f"sh.kaito.{version}.Workspace" for version in ("v1alpha1", "v1beta1")}
    while not wanted <= json.loads(kubectl("get", "--raw", "/openapi/v2"))["definitions"].keys():
        assert time.monotonic() < deadline, f"the API server did not publish the CRD's schemas in {DEADLINE_S} s"
        time.sleep(0.2)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`valid_file` and `invalid_file` run a test once per example."""
    for kind in ("valid", "invalid"):
        if f"{kind}_file" in metafunc.fixturenames:
            files = sorted((ROOT / "tests" / "fixtures" / "workspaces" / kind).glob("*.yaml"))
            assert files, f"no {kind} examples"
            metafunc.parametrize(f"{kind}_file", files, ids=[file.stem for file in files])
