"""Runs etcd and kube-apiserver, on ports of their own: alone for tests of what is stored, or with Kubernetes' own
controllers for tests of what those make of it. Nothing runs pods. Installs Modelyard's CRDs and rights there, and
connects as one of its identities.
"""

import contextlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from activities.clients.kubernetes import Cluster
from deploy.local.cluster.control_plane import start_control_plane, stop_control_plane
from deploy.local.cluster.flags import audit_policy
from deploy.local.cluster.kubeconfigs import mint_kubeconfig
from deploy.local.cluster.resources import ensure_crds, ensure_roles
from deploy.local.layout import Layout
from testing.ports import free_ports
from testing.rights_in_effect import await_right

WORKER: Final = "modelyard:cluster-worker"
LAST_APPLIED: Final = (
    ("modelyard:admin", "create", "tokenreviews", "authentication.k8s.io", ""),
    ("modelyard:watcher", "update", "leases", "coordination.k8s.io", "modelyard-system"),
)
"""User, verb, resource, group and namespace of a right by the last ClusterRoleBinding of the shipped roles, and of one
by a RoleBinding. What was applied before them is in effect when they are: a watch keeps the order."""


@contextlib.contextmanager
def api_server_alone(folder: Path, audit: Mapping[str, object] | None = None) -> Iterator[Layout]:
    """Runs during the block, with its state below the folder; `audit` is the policy of its audit log."""
    layout = _layout(folder)
    if audit is not None:
        layout.logs.mkdir(parents=True)
        audit_policy(layout).write_text(json.dumps(audit))
    start_control_plane(layout, controllers=False)
    try:
        yield layout
    finally:
        stop_control_plane(layout)


@contextlib.contextmanager
def control_plane(folder: Path) -> Iterator[Layout]:
    """Runs with controller-manager and scheduler during the block, with its state below the folder."""
    layout = _layout(folder)
    start_control_plane(layout)
    try:
        yield layout
    finally:
        stop_control_plane(layout)


def ensure_installed(layout: Layout) -> None:
    """The CRDs and the shipped roles; returns when these are in effect."""
    for ensure in (ensure_crds, ensure_roles):
        ensure(layout.admin_kubeconfig, layout.logs / "installed.log", lambda text: None)
    for user, verb, resource, group, namespace in LAST_APPLIED:
        await_right(layout, user, verb, resource, group=group, namespace=namespace)


@contextlib.asynccontextmanager
async def connected(layout: Layout, user: str = "") -> AsyncIterator[Cluster]:
    """As one of Modelyard's identities, or as the cluster's owner."""
    config = mint_kubeconfig(layout, user) if user else layout.admin_kubeconfig
    cluster = await Cluster.connect(str(config), direct=True)
    try:
        yield cluster
    finally:
        await cluster.close()


def _layout(folder: Path) -> Layout:
    return replace(Layout.of("test", with_nodes=False), state=folder / "state", ports=free_ports())
