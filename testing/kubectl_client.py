"""kubectl as a user runs it, in a test's own namespace."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.local.cluster.kubectl import kubectl_argv
from deploy.local.host.commands import CommandFailed, output_of
from testing.deadlines import PATIENCE_S

DEADLINE_S: Final = PATIENCE_S


@dataclass(frozen=True)
class Kubectl:
    """Validates on the client too; raises CommandFailed with kubectl's error message."""

    kubeconfig: Path
    cache: Path
    folder: Path
    namespace: str

    def __call__(self, *arguments: str) -> str:
        options = (f"--namespace={self.namespace}", f"--cache-dir={self.cache}")
        return output_of(kubectl_argv(self.kubeconfig, *options, *arguments), deadline_s=DEADLINE_S)

    def send(self, verb: str, obj: dict[str, Any], *arguments: str) -> str:
        """Runs `kubectl apply|create|replace -f` on an object."""
        file = self.folder / "object.json"
        file.write_text(json.dumps(obj))
        return self(verb, "-f", str(file), *arguments)

    def await_served(self, definition: str) -> None:
        """Returns when the API server serves the kind of this CustomResourceDefinition. `kubectl wait` fails at once on
        one that has no conditions yet, and of one that is Established nothing is read while its storage begins."""
        ends = time.monotonic() + DEADLINE_S
        while True:
            try:
                self("wait", "--for=condition=Established", f"crd/{definition}", "--timeout=60s")
                self("get", definition, "--all-namespaces", "--output=name")
                return
            except CommandFailed:
                if time.monotonic() > ends:
                    raise
            time.sleep(0.2)

    def workspace(self, name: str, version: str = "v1beta1") -> dict[str, Any]:
        """Returns the Workspace as a client of that version sees it."""
        shown: dict[str, Any] = json.loads(
            self("get", f"workspaces.{version}.kaito.sh", name, "-o", "json", "--show-managed-fields")
        )
        assert shown["apiVersion"] == f"kaito.sh/{version}"
        return shown
