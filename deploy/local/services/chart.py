"""Installs Modelyard's chart in a local stack's own cluster: the control plane as pods, as on any other cluster.

The values say where this stack has what the chart needs; everything else is the chart's default. Clusters that the
chart does not support have the same programs as processes of this machine (`modelyard.py`).
"""

import base64
import json
from pathlib import Path
from typing import Any, Final

from deploy.local.cluster import owner_client
from deploy.local.cluster.kubectl import kubectl
from deploy.local.host.commands import run_logged
from deploy.local.images.contents import CONTROL_PLANE, DATA, FETCH, RUNTIME, TUNE, Image
from deploy.local.images.images import reference
from deploy.local.kubernetes.helm import ensure_helm, helm_folders
from deploy.local.layout import REPOSITORY, Layout, Report
from deploy.local.services import modelyard
from deploy.local.services.pods import NAMESPACE, await_pods

CHART: Final = REPOSITORY / "deploy" / "chart"
RELEASE: Final = "modelyard"
EXAMPLES: Final = "default"
"""The namespace of the demo and of all examples."""
INSTALL_S: Final = 600.0
AZURE_SECRET: Final = "azure"
AZURE_FOLDER: Final = "/etc/azure"
# No directory is asked who this is: the emulator knows its token, and the chart wants an identity's ID.
CLIENT_ID: Final = "00000000-0000-0000-0000-000000000000"


def ensure_chart(layout: Layout, log: Path, report: Report) -> None:
    """Installs the chart, or upgrades it to this checkout's, and waits until its pods are ready. Raises CommandFailed,
    ClusterApiError, HelmMissing, PodsNotReady."""
    program = ensure_helm(layout.cache, log, report)
    for path, manifest in prerequisites(layout).items():
        owner_client.apply(layout, path, manifest)
    # Of an interrupted installation: Helm would refuse every further one.
    unfinished = f"owner=helm,name={RELEASE},status in (pending-install,pending-upgrade,pending-rollback)"
    kubectl(layout.admin_kubeconfig, "-n", NAMESPACE, "delete", "secrets", "-l", unfinished)
    file = layout.state / "chart-values.json"
    file.write_text(json.dumps(values(layout), indent=1))
    report("waiting until the pods of the control plane are ready")
    # What an earlier version of this stack has applied without the chart becomes the chart's.
    options = ["--install", "--take-ownership", "--values", str(file), "--wait", "--timeout", f"{INSTALL_S:g}s"]
    run_logged(
        helm_argv(layout, program, "upgrade", RELEASE, str(CHART), *options),
        log,
        deadline_s=INSTALL_S + 30,
        env=helm_environment(layout),
        fix=f"`kubectl --kubeconfig={layout.admin_kubeconfig} -n {NAMESPACE} get pods` shows which is not ready",
    )
    await_pods(layout.admin_kubeconfig, INSTALL_S)


def helm_argv(layout: Layout, program: Path, *arguments: str) -> list[str]:
    """Returns a command line of Helm's for the chart's namespace in this stack."""
    return [str(program), *arguments, "--namespace", NAMESPACE, "--kubeconfig", str(layout.admin_kubeconfig)]


def helm_environment(layout: Layout) -> dict[str, str]:
    """Returns variables with which Helm neither reads nor writes anything of the user's, and uses no proxy."""
    return helm_folders(layout.state / "helm") | {
        name: modelyard.without_proxy(layout) for name in ("NO_PROXY", "no_proxy")
    }


def prerequisites(layout: Layout) -> dict[str, dict[str, Any]]:
    """Returns what is there before the chart, by API path: its namespace and that of the examples, both `restricted`,
    and the credential for Azure."""
    restricted = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    files = {"ca.crt": layout.pki / "ca.crt", "token": modelyard.token_file(layout)}
    data = {name: base64.b64encode(file.read_bytes()).decode() for name, file in files.items()}
    namespaces = {
        f"/api/v1/namespaces/{name}": {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": restricted},
        }
        for name in (NAMESPACE, EXAMPLES)
    }
    return namespaces | {
        f"/api/v1/namespaces/{NAMESPACE}/secrets/{AZURE_SECRET}": {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": AZURE_SECRET, "namespace": NAMESPACE},
            "data": data,
        },
    }


def values(layout: Layout) -> dict[str, Any]:
    """Returns the values of this stack. Raises TorchUnavailable."""
    images = {"controlPlane": CONTROL_PLANE, "runtime": RUNTIME, "fetch": FETCH, "tune": TUNE, "data": DATA}
    cloud = {
        "environment": {
            "MODELYARD_AZURE_CA_FILE": f"{AZURE_FOLDER}/ca.crt",
            "MODELYARD_AZURE_CREDENTIAL": f"token-file:{AZURE_FOLDER}/token",
        },
        "secretMounts": [{"secret": AZURE_SECRET, "path": AZURE_FOLDER}],
    }
    return {
        "workerCloud": cloud,
        "webhook": {"environment": {"MODELYARD_WEBHOOK_CHECK_INTERVAL": "5"}},
        "admin": {"hosts": [layout.address]},
        "image": {
            "registry": layout.registry,
            "device": "cpu",
            **{name: {"tag": _tag(layout, image)} for name, image in images.items()},
        },
        "azure": {
            "subscriptionId": modelyard.SUBSCRIPTION,
            "resourceGroup": modelyard.RESOURCE_GROUP,
            "cluster": modelyard.CLUSTER,
            "location": modelyard.LOCATION,
            "clientId": CLIENT_ID,
            "endpoint": layout.arm_url,
        },
        "policy": modelyard.WITHOUT_LIMITS,
        "temporal": {"address": f"{layout.address}:{layout.ports.temporal}"},
        "settings": {
            "hfEndpoint": layout.mirror_url,
            "allowedHosts": [layout.address],  # the mirror, which serves data sets too
            "plainHttpRegistries": [layout.registry],
            "tuningEnvironment": modelyard.ON_SHARED_CPUS,
        },
    }


def _tag(layout: Layout, image: Image) -> str:
    return reference(layout, image).rpartition(":")[2]
