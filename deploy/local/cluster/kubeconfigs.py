"""Kubeconfig files with client certificates: one identity per file, everything embedded.

The identity is the certificate's: common name = user, organizations = groups. RBAC decides its rights.
"""

import base64
import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path

import yaml

from deploy.local.cluster import certificates
from deploy.local.layout import Layout

ADMIN_GROUP = "system:masters"
# Reserved: certificate files are named by user, so no process may use this name.
OWNER = "stack-owner"


def write_admin_kubeconfig(layout: Layout) -> Path:
    """Writes the kubeconfig of the stack's owner, who is cluster admin."""
    return _write(layout, layout.admin_kubeconfig, OWNER, (ADMIN_GROUP,))


def mint_kubeconfig(layout: Layout, user: str, groups: Sequence[str] = ()) -> Path:
    """Writes a kubeconfig for any user, such as one of Modelyard's processes under its own RBAC identity."""
    return _write(layout, layout.kubeconfig_of(file_name(user)), user, groups)


def file_name(user: str) -> str:
    """Converts a user to a file name: system:node:gpu-1 becomes system-node-gpu-1."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", user)


def _write(layout: Layout, path: Path, user: str, groups: Sequence[str]) -> Path:
    authority = certificates.ensure_authority(layout)
    pair = certificates.ensure_certificate(layout, f"client-{file_name(user)}", common_name=user, organizations=groups)
    cluster = {"server": layout.apiserver_url, "certificate-authority-data": _encoded(authority.certificate)}
    identity = {"client-certificate-data": _encoded(pair.certificate), "client-key-data": _encoded(pair.key)}
    name = f"modelyard-{layout.instance}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": user, "user": identity}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}}],
        "current-context": name,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    # Nodes that start in parallel write the same file for kube-proxy while others read it.
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    partial.touch(mode=0o600)
    partial.write_text(yaml.safe_dump(document, sort_keys=False))
    partial.rename(path)
    return path


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
