"""What a local stack does otherwise on a Kubernetes below the product's minimum, so that it runs on Debian's 1.20, too.

Such a server gets the CRDs without rules in CEL: it does not know them, and the webhook has the same ones. These are
all others that look at the version or make up for an older one; a test finds any file that does and is not listed.

The product has four concessions, where nothing of the stack stands in between:

- `activities/manifests/older_policy_api.py`: the version of disruption budgets
- `admin/webhook/registration.py`: a webhook that fails open where match conditions are dropped, as
  `deploy/admission/webhooks.yaml` is applied
- `admin/webhook/review.py`: the namespace that a new object does not name yet when it is reviewed
- `workflows/status/content.py`: parts of the status that are written even when empty

The local stack differs by version in:

- `deploy/local/kubernetes/`: finding the programs with their version, building Debian's, and the build's patches
- `deploy/local/stack/choices.py`: the control plane as pods of the chart, or below the minimum as processes
- `deploy/local/cluster/flags.py`: beta APIs that have to be on, ports without TLS that have to be off
- `deploy/local/cluster/control_plane.py`: the token Secret that a ServiceAccount is waited for with
- `deploy/local/cluster/certificates.py`: the form of the key that signs ServiceAccounts' tokens
- `deploy/local/cluster/gateway_node.py`: a Node for kube-proxy, which only newer ones ask for
- `deploy/local/cluster/resources.py`: the CRDs that are applied
- `deploy/local/nodes/config.py`, for `deploy/local/nodes/node.py`: the kubelet's flags, and cgroup v1
- `deploy/local/azure/nodes/draining.py`: the version of evictions
- `api/resource/cel/__init__.py`: a CRD without rules, for this file
"""

import json
from pathlib import Path
from typing import Final

import yaml

from api.resource.cel import without_rules
from deploy.local.cluster.kubectl import kubectl

MINIMUM_MINOR: Final = 30
"""The product's minimum, Kubernetes 1.30; also the chart's kubeVersion."""


def suitable_crds(kubeconfig: Path, folder: Path, below: Path) -> Path:
    """Returns the folder of CRDs that this API server takes: the given one, or a copy without rules that is written
    `below`. Raises CommandFailed when the server does not answer."""
    return folder if server_minor(kubeconfig) >= MINIMUM_MINOR else crds_without_rules(folder, below)


def crds_without_rules(folder: Path, below: Path) -> Path:
    """Writes a copy of the folder's CRDs `below` and returns its folder."""
    copies = below / "crds-without-rules"
    copies.mkdir(parents=True, exist_ok=True)
    for file in sorted(folder.glob("*.yaml")):
        documents = [without_rules(document) for document in yaml.safe_load_all(file.read_text())]
        (copies / file.name).write_text(yaml.safe_dump_all(documents, sort_keys=False))
    return copies


def server_minor(kubeconfig: Path) -> int:
    """Returns 20 for a server of version 1.20; some builds report it as `20+`."""
    version = json.loads(kubectl(kubeconfig, "get", "--raw", "/version"))
    return int(str(version["minor"]).rstrip("+"))
