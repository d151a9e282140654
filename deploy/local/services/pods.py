"""The pods of a local stack's control plane: their state as the cluster tells it, and as they answer themselves."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.local.cluster.kubectl import kubectl_json
from deploy.local.host.probes import answers

NAMESPACE: Final = "modelyard-system"
PORT: Final = 8080
"""Of health and metrics in every pod of the chart."""
READ_S: Final = 10.0
POLL_S: Final = 0.5


class PodsNotReady(RuntimeError):
    """Some are not ready in time; the message names them."""


@dataclass(frozen=True)
class PodStatus:
    """A pod of the control plane."""

    name: str
    ready: bool
    restarts: int


def read_pods(kubeconfig: Path) -> list[dict[str, Any]]:
    """Returns the pods that are there to stay. Raises CommandFailed."""
    found = kubectl_json(kubeconfig, "-n", NAMESPACE, "get", "pods", deadline_s=READ_S)["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def pod_status(pod: dict[str, Any]) -> PodStatus:
    """Returns the relevant fields of a Pod object."""
    status = pod.get("status", {})
    return PodStatus(
        name=pod["metadata"]["name"],
        ready=any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", [])),
        restarts=sum(each["restartCount"] for each in status.get("containerStatuses", [])),
    )


def await_pods(kubeconfig: Path, deadline_s: float) -> None:
    """Returns when every pod is Ready and answers. Raises PodsNotReady, CommandFailed.

    Both, because the cluster goes on telling what it was told last of pods whose kubelet was killed with them.
    """
    deadline = time.monotonic() + deadline_s
    while True:
        waiting = [pod["metadata"]["name"] for pod in read_pods(kubeconfig) if not _is_ready(pod)]
        if not waiting:
            return
        if time.monotonic() > deadline:
            raise PodsNotReady(
                f"not ready after {deadline_s:g} s: {', '.join(waiting)}. Fix: `kubectl --kubeconfig={kubeconfig} "
                f"-n {NAMESPACE} describe pod` shows why"
            )
        time.sleep(POLL_S)


def _is_ready(pod: dict[str, Any]) -> bool:
    address = pod.get("status", {}).get("podIP")
    return bool(address) and answers(f"http://{address}:{PORT}/readyz") and pod_status(pod).ready
