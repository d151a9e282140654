"""A real kube-apiserver on loopback with the CRD applied, and kubectl in a namespace of the test's own."""

import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest

from deploy.local.commands import output_of
from deploy.local.control_plane import start_control_plane, stop_control_plane
from deploy.local.kubectl import kubectl_argv
from deploy.local.layout import Layout, Ports

ROOT = Path(__file__).parents[3]
CRD_FILE = ROOT / "deploy" / "crds" / "kaito.sh_workspaces.yaml"
DEADLINE_S = 60


@dataclass(frozen=True)
class Kubectl:
    """kubectl as a user has it, client-side validation included; raises CommandFailed with what it complains about."""

    kubeconfig: Path
    cache: Path
    folder: Path
    namespace: str

    def __call__(self, *arguments: str) -> str:
        options = (f"--namespace={self.namespace}", f"--cache-dir={self.cache}")
        argv = kubectl_argv(self.kubeconfig, *options, *arguments)
        return output_of(argv, deadline_s=DEADLINE_S)

    def send(self, verb: str, obj: dict[str, Any], *arguments: str) -> None:
        """`kubectl apply|create|replace -f` of an object."""
        file = self.folder / "object.json"
        file.write_text(json.dumps(obj))
        self(verb, "-f", str(file), *arguments)

    def workspace(self, name: str, version: str = "v1beta1") -> dict[str, Any]:
        """The Workspace as a client of that version sees it."""
        shown: dict[str, Any] = json.loads(
            self("get", f"workspaces.{version}.kaito.sh", name, "-o", "json", "--show-managed-fields")
        )
        assert shown["apiVersion"] == f"kaito.sh/{version}"
        return shown


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """etcd and kube-apiserver with ports and state of their own, gone after the tests."""
    folder = tmp_path_factory.mktemp("api-server")
    layout = replace(Layout.of("test", with_nodes=False), state=folder / "state", ports=_free_ports())
    start_control_plane(layout, controllers=False)
    try:
        yield layout
    finally:
        stop_control_plane(layout)


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


def _free_ports() -> Ports:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in fields(Ports)]
    numbers = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return Ports(**dict(zip((field.name for field in fields(Ports)), numbers, strict=True)))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`valid_file` and `invalid_file` run a test once per example."""
    for kind in ("valid", "invalid"):
        if f"{kind}_file" in metafunc.fixturenames:
            files = sorted((ROOT / "tests" / "fixtures" / "workspaces" / kind).glob("*.yaml"))
            assert files, f"no {kind} examples"
            metafunc.parametrize(f"{kind}_file", files, ids=[file.stem for file in files])
