"""The options with which an instance was brought up, stored so that `status` and `down` use the same stack.

What changes the stack's shape is its cluster, our own or an existing one, and whether Modelyard runs there as pods.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from deploy.local.cluster.older_kubernetes import MINIMUM_MINOR
from deploy.local.kubernetes.binaries import BinariesMissing, minor_to_come
from deploy.local.kubernetes.releases import ReleaseUnavailable
from deploy.local.layout import Layout

FILE = "choices.json"


class KubeconfigUnusable(RuntimeError):
    """The given kubeconfig cannot be read."""


class OtherCluster(RuntimeError):
    """The instance is up on another cluster than the requested one."""


@dataclass(frozen=True)
class Choices:
    """`kubeconfig` of the cluster to use; None means that the stack creates its own. `pods`: whether the chart installs
    Modelyard there; if not, its programs are processes of this machine."""

    kubeconfig: Path | None = None
    pods: bool = False

    @property
    def own_cluster(self) -> bool:
        return self.kubeconfig is None

    def layout(self, instance: str) -> Layout:
        """Returns the instance's layout: on loopback if it has no nodes of its own."""
        return Layout.of(instance, with_nodes=self.own_cluster)


def choose(instance: str, kubeconfig: Path | None) -> Choices:
    """Returns the options of `up`. Raises KubeconfigUnusable, and OtherCluster if the instance is up on another one."""
    if kubeconfig is not None:
        kubeconfig = kubeconfig.expanduser().absolute()
        if not kubeconfig.is_file():
            raise KubeconfigUnusable(f"there is no kubeconfig at {kubeconfig}. Fix: name a file that exists")
    kept = recall(instance)
    if kept is not None and kept.kubeconfig == kubeconfig:
        return kept
    wanted = Choices(kubeconfig, pods=kubeconfig is None and chart_fits(Layout.of(instance).cache))
    if kept is not None:
        raise OtherCluster(
            f"instance '{instance}' is up with {_words(kept)}, and {_words(wanted)} was asked for. "
            f"Fix: `modelyard local down --instance {instance}` first, or use another instance"
        )
    return wanted


def chart_fits(cache: Path) -> bool:
    """Returns whether the chart supports the Kubernetes that a cluster of our own will have; one that has to be built
    is taken for too old."""
    try:
        return (minor_to_come(cache) or 0) >= MINIMUM_MINOR
    except (BinariesMissing, ReleaseUnavailable):
        return True  # the step that gets the programs says what is wrong


def remember(layout: Layout, choices: Choices) -> None:
    layout.state.mkdir(parents=True, exist_ok=True)
    kubeconfig = str(choices.kubeconfig) if choices.kubeconfig else None
    (layout.state / FILE).write_text(json.dumps({"kubeconfig": kubeconfig, "pods": choices.pods}))


def recall(instance: str) -> Choices | None:
    """Returns the options with which the instance was brought up, or None if it is down."""
    try:
        kept = json.loads((Layout.of(instance).state / FILE).read_text())
    except FileNotFoundError:
        return None
    return Choices(Path(kept["kubeconfig"]) if kept["kubeconfig"] else None, pods=kept.get("pods", False))


def forget(layout: Layout) -> None:
    (layout.state / FILE).unlink(missing_ok=True)


def _words(choices: Choices) -> str:
    return f"the cluster of {choices.kubeconfig}" if choices.kubeconfig else "a cluster of its own"
