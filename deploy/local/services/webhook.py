"""Registers the local webhook with the API server: the files of `deploy/admission`, with a URL instead of a Service.

Processes of a local stack are not pods, so a Service could not select them. Everything else is as in production.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from deploy.local.cluster.kubectl import kubectl_argv
from deploy.local.host.commands import run_logged
from deploy.local.layout import Layout, Report
from deploy.local.services import modelyard

ADMISSION = Path(__file__).parents[2] / "admission"
RIGHTS = ADMISSION / "rights.yaml"
WEBHOOKS = ADMISSION / "webhooks.yaml"
APPLY_S = 60.0


def ensure_admission(layout: Layout, kubeconfig: Path, log: Path, report: Report) -> None:
    """Applies the webhook's rights and registration; from then on new Workspaces require it. Raises CommandFailed."""
    report("registering the admission webhook")
    file = layout.state / "admission.json"
    file.write_text(json.dumps(configuration(modelyard.webhook_address(layout))))
    for applied in (RIGHTS, file):
        run_logged(kubectl_argv(kubeconfig, "apply", "-f", str(applied)), log, deadline_s=APPLY_S)


def configuration(address: str) -> dict[str, Any]:
    """Returns the ValidatingWebhookConfiguration for a webhook that listens on host:port."""
    document: dict[str, Any] = yaml.safe_load(WEBHOOKS.read_text())
    for hook in document["webhooks"]:
        path = hook["clientConfig"]["service"]["path"]
        hook["clientConfig"] = {"url": f"https://{address}{path}"}
    return document
