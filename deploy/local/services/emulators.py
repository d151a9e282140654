"""The daemons of the two emulators of external services: Azure Resource Manager and the Hugging Face Hub.

The programs themselves are in `azure/` and `mirror/`.
"""

import sys
from pathlib import Path

from deploy.local.cluster.certificates import ensure_authority
from deploy.local.host.daemons import Daemon
from deploy.local.host.probes import once_answers
from deploy.local.layout import Layout


def arm_daemon(layout: Layout, kubeconfig: Path | None = None) -> Daemon:
    """Agent pools are real kubelets; in an existing cluster (`kubeconfig`) they are Node objects only."""
    # Created here, not only by the program: the readiness probe needs the authority's certificate.
    authority = ensure_authority(layout)
    argv = [sys.executable, "-m", "deploy.local.azure", "--layout-instance", layout.instance]
    if not layout.with_nodes:
        argv.append("--loopback")
    argv += ["--nodes", "simulated", "--kubeconfig", str(kubeconfig)] if kubeconfig else ["--nodes", "kubelet"]
    ready = once_answers(f"{layout.arm_url}/_control/state", ca=authority.certificate)
    return Daemon(name="arm", argv=tuple(argv), ready=ready, deadline_s=60.0)


def mirror_daemon(layout: Layout) -> Daemon:
    """Serves the machine's cache, so it is started after that was built."""
    argv = (sys.executable, "-m", "deploy.local.mirror", "--instance", layout.instance)
    ready = once_answers(f"{layout.mirror_url}/_control/state")
    return Daemon(name="mirror", argv=argv, ready=ready, deadline_s=60.0)
