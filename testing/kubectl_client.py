"""kubectl as a user runs it, in a test's own namespace."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.local.cluster.kubectl import kubectl_argv
from deploy.local.host.commands import output_of

DEADLINE_S: Final = 60


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

    def workspace(self, name: str, version: str = "v1beta1") -> dict[str, Any]:
        """Returns the Workspace as a client of that version sees it."""
        shown: dict[str, Any] = json.loads(
            self("get", f"workspaces.{version}.kaito.sh", name, "-o", "json", "--show-managed-fields")
        )
        assert shown["apiVersion"] == f"kaito.sh/{version}"
        return shown
