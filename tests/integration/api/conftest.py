"""A real kube-apiserver on loopback with the CRD applied, and kubectl in a namespace of the test's own."""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from api.resource.cel import without_rules
from deploy.local.cluster.older_kubernetes import MINIMUM_MINOR, server_minor, suitable_crds
from deploy.local.cluster.owner_client import ClusterApiError, request
from deploy.local.layout import Layout
from testing.kubectl_client import DEADLINE_S, Kubectl

ROOT = Path(__file__).parents[3]
CRDS = ROOT / "deploy" / "crds"
CRD_FILE = CRDS / "kaito.sh_workspaces.yaml"
WORKSPACES = "/apis/kaito.sh/v1beta1/namespaces/default/workspaces?dryRun=All"


@pytest.fixture(scope="session")
def api_server(shared_api_server: Layout) -> Layout:
    return shared_api_server


@pytest.fixture(scope="session")
def cluster_kubectl(api_server: Layout, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    """kubectl in `default`, with the CRD applied and published."""
    cache, folder = tmp_path_factory.mktemp("kubectl-cache"), tmp_path_factory.mktemp("kubectl")
    kubectl = Kubectl(api_server.admin_kubeconfig, cache, folder, "default")
    kubectl("apply", "-f", str(suitable_crds(api_server.admin_kubeconfig, CRDS, folder) / CRD_FILE.name))
    _wait_until_published(kubectl)
    return kubectl


@pytest.fixture(scope="session")
def has_rules(api_server: Layout) -> bool:
    """Whether this API server judges by the CRD's rules."""
    return server_minor(api_server.admin_kubeconfig) >= MINIMUM_MINOR


@pytest.fixture(scope="session")
def only_shapes(
    api_server: Layout, cluster_kubectl: Kubectl, has_rules: bool
) -> Callable[[], AbstractContextManager[None]]:
    """Within `with only_shapes():` the API server has the CRD without its rules, as KAITO's installations have."""
    bare = without_rules(yaml.safe_load(CRD_FILE.read_text()))

    @contextlib.contextmanager
    def while_bare() -> Iterator[None]:
        if not has_rules:
            yield
            return
        cluster_kubectl.send("replace", bare)
        _wait_until_it_judges(api_server, by_rules=False)
        try:
            yield
        finally:
            cluster_kubectl("replace", "-f", str(CRD_FILE))
            _wait_until_it_judges(api_server, by_rules=True)

    return while_bare


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


def _wait_until_it_judges(layout: Layout, *, by_rules: bool) -> None:
    """A changed CRD holds a moment after it is written: until then a Workspace without a purpose shows the old one."""
    nothing = {"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "metadata": {"name": "without-purpose"}}
    deadline = time.monotonic() + DEADLINE_S
    while _is_refused(layout, nothing) is not by_rules:
        assert time.monotonic() < deadline, f"the API server did not take up the CRD in {DEADLINE_S} s"
        time.sleep(0.1)


def _is_refused(layout: Layout, document: Mapping[str, object]) -> bool:
    try:
        request(layout, "POST", WORKSPACES, document, "application/json")
    except ClusterApiError as error:
        assert error.status == 422, error
        return True
    return False


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`valid_file` and `invalid_file` run a test once per example."""
    for kind in ("valid", "invalid"):
        if f"{kind}_file" in metafunc.fixturenames:
            files = sorted((ROOT / "tests" / "fixtures" / "workspaces" / kind).glob("*.yaml"))
            assert files, f"no {kind} examples"
            metafunc.parametrize(f"{kind}_file", files, ids=[file.stem for file in files])
