"""The options with which an instance was brought up, stored so that `status` and `down` use the same stack.

The only option that changes the stack's shape is its cluster: our own or an existing one.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from deploy.local.layout import Layout

FILE = "choices.json"


class KubeconfigUnusable(RuntimeError):
    """The given kubeconfig cannot be read."""


class OtherCluster(RuntimeError):
    """The instance is up on another cluster than the requested one."""


@dataclass(frozen=True)
class Choices:
    """`kubeconfig` of the cluster to use; None means that the stack creates its own."""

    kubeconfig: Path | None = None

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
    wanted, kept = Choices(kubeconfig), recall(instance)
    if kept is not None and kept != wanted:
        raise OtherCluster(
            f"instance '{instance}' is up with {_words(kept)}, and {_words(wanted)} was asked for. "
            f"Fix: `modelyard local down --instance {instance}` first, or use another instance"
        )
    return wanted


def remember(layout: Layout, choices: Choices) -> None:
    layout.state.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"kubeconfig": str(choices.kubeconfig) if choices.kubeconfig else None})
    (layout.state / FILE).write_text(text)


def recall(instance: str) -> Choices | None:
    """Returns the options with which the instance was brought up, or None if it is down."""
    try:
        kept = json.loads((Layout.of(instance).state / FILE).read_text())
    except FileNotFoundError:
        return None
    return Choices(Path(kept["kubeconfig"]) if kept["kubeconfig"] else None)


def forget(layout: Layout) -> None:
    (layout.state / FILE).unlink(missing_ok=True)


def _words(choices: Choices) -> str:
    return f"the cluster of {choices.kubeconfig}" if choices.kubeconfig else "a cluster of its own"
