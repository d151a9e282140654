"""What a local stack does otherwise on a Kubernetes below the product's minimum, so that it runs on Debian's 1.20, too.

Such a server gets the CRDs without rules in CEL: it does not know them, and the webhook has the same ones. What else
differs by version in a local stack is in the flags (`flags.py`), in the build's patches (`deploy/local/kubernetes`) and
in how nodes are drained (`deploy/local/azure/nodes/draining.py`).

The product has three concessions to such a server, where nothing of the stack stands in between: the version of
disruption budgets (`activities/manifests/older_policy_api.py`), a webhook that fails open where match conditions are
dropped (`admin/webhook/registration.py`), and parts of the status that are written even when empty
(`workflows/status/content.py`).
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
