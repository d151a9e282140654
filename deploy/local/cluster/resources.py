"""Installs what Modelyard's processes need in a cluster before they start: the CRDs and the roles of each identity.

The files are those of any other installation (`crds` and `rbac` below `deploy`, of this checkout or of another).
"""

import time
from pathlib import Path

from deploy.local.cluster.kubectl import kubectl_argv
from deploy.local.cluster.older_kubernetes import crds_without_rules, suitable_crds
from deploy.local.host.commands import CommandFailed, run_logged
from deploy.local.layout import Report

DEPLOY = Path(__file__).parents[2]
APPLY_S = 60.0
ASK_AGAIN_S = 0.2


def ensure_crds(kubeconfig: Path, log: Path, report: Report, deploy: Path = DEPLOY) -> None:
    """Applies the CRDs and waits until the API server serves them. Raises CommandFailed."""
    report("applying the CRDs")
    _ensure(kubeconfig, suitable_crds(kubeconfig, deploy / "crds", log.parent), log)


def ensure_crds_without_rules(kubeconfig: Path, log: Path, report: Report, deploy: Path = DEPLOY) -> None:
    """The same where the API server is to store what the rules refuse, as one with KAITO's own CRD does."""
    report("applying the CRDs without their rules")
    _ensure(kubeconfig, crds_without_rules(deploy / "crds", log.parent), log)


def ensure_roles(kubeconfig: Path, log: Path, report: Report, deploy: Path = DEPLOY) -> None:
    """Applies the roles of Modelyard's identities. Raises CommandFailed."""
    report("applying roles and bindings")
    _apply(kubeconfig, deploy / "rbac", log)


def ensure_claim_crds(kubeconfig: Path, log: Path) -> None:
    """Applies Karpenter's CRDs and waits until the API server serves them. Raises CommandFailed."""
    _apply(kubeconfig, DEPLOY / "crds" / "karpenter", log)
    _await_served(kubeconfig, ["nodeclaims.karpenter.sh", "nodepools.karpenter.sh"], log)


def _ensure(kubeconfig: Path, crds: Path, log: Path) -> None:
    _apply(kubeconfig, crds, log)
    names = [f"{file.stem.split('_')[1]}.{file.stem.split('_')[0]}" for file in sorted(crds.glob("*.yaml"))]
    _await_served(kubeconfig, names, log)


def _await_served(kubeconfig: Path, names: list[str], log: Path) -> None:
    """Repeats until the deadline: `kubectl wait` fails at once on a CRD that has no conditions yet, and of one that is
    Established nothing is read while its storage begins (429)."""
    deadline = time.monotonic() + APPLY_S
    wait = ("wait", "--for=condition=Established", f"--timeout={APPLY_S:g}s", *(f"crd/{name}" for name in names))
    reads = [("get", name, "--all-namespaces", "--output=name") for name in names]
    while True:
        try:
            for command in (wait, *reads):
                run_logged(kubectl_argv(kubeconfig, *command), log, deadline_s=APPLY_S + 10)
            return
        except CommandFailed:
            if time.monotonic() > deadline:
                raise
        time.sleep(ASK_AGAIN_S)


def _apply(kubeconfig: Path, folder: Path, log: Path) -> None:
    fix = f"`kubectl --kubeconfig={kubeconfig} get --raw /readyz` shows whether the API server is ready"
    run_logged(kubectl_argv(kubeconfig, "apply", "-f", str(folder)), log, deadline_s=APPLY_S, fix=fix)
