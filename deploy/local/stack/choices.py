"""What was chosen when an instance was brought up, kept so that `status` and `down` look at the same stack.

The only choice that changes the stack's shape is whether the cluster is ours or one that existed before.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from deploy.local.layout import Layout

FILE = "choices.json"


class KubeconfigUnusable(RuntimeError):
    """The file given as kubeconfig cannot be read."""


class OtherCluster(RuntimeError):
    """The instance is up on another cluster than the one asked for now."""


@dataclass(frozen=True)
class Choices:
    """`kubeconfig` of the cluster to use; None means that the stack makes its own."""

    kubeconfig: Path | None = None

    @property
    def own_cluster(self) -> bool:
        return self.kubeconfig is None

    def layout(self, instance: str) -> Layout:
        """Where the instance lives: on loopback when it has no nodes of its own."""
        return Layout.of(instance, with_nodes=self.own_cluster)


def choose(instance: str, kubeconfig: Path | None) -> Choices:
    """The choices for `up`. Raises KubeconfigUnusable, and OtherCluster when the instance is up on another cluster."""
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
    """The choices with which the instance was brought up, or None when it is down."""
    try:
        kept = json.loads((Layout.of(instance).state / FILE).read_text())
    except FileNotFoundError:
        return None
    return Choices(Path(kept["kubeconfig"]) if kept["kubeconfig"] else None)


def forget(layout: Layout) -> None:
    (layout.state / FILE).unlink(missing_ok=True)


def _words(choices: Choices) -> str:
    return f"the cluster of {choices.kubeconfig}" if choices.kubeconfig else "a cluster of its own"
