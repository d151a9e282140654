"""Demonstrates the main path: applies a Workspace with kubectl, follows its steps, sends one chat message.

It uses what a user has (kubectl, the Service's address). `stack/up.py` brings the stack up, `follow.py` reads the
status, `chat.py` queries the model, `cli/demo.py` prints.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from api.resource.status import WorkspaceStatus, parse_status
from deploy.local.cluster.kubectl import kubectl, kubectl_json
from deploy.local.demo.chat import Answer, EndpointUnreachable, ask_kaito, ask_openai
from deploy.local.demo.follow import StatusSnapshot, changes, is_done, is_over
from deploy.local.host.commands import CommandFailed
from deploy.local.layout import REPOSITORY, Layout

EXAMPLES = REPOSITORY / "examples"
EXAMPLE = EXAMPLES / "workspace-smollm2.yaml"
PLACEHOLDER = "registry.example.com"
"""The registry that the examples push to and pull from."""
# At every token of the answer SmolLM2's choice leads by more than 1.3 in log-probability, in float32 and bfloat16:
# so the answer is the same on every CPU. (For France's capital the first two tokens are 0.1 apart.)
QUESTION, ANSWER = "What is the capital of South Korea?", "Seoul"
# Cold: a 4 GB image is pulled and unpacked on a node that has just been bought (about 2 min), then vLLM loads (1 min).
READY_S = 900.0
# A pool is deleted in seconds here; nodes are drained first.
GONE_S = 180.0
POLL_S = 0.5
# One read may fail while the API server is busy; this many in a row mean that it is gone.
MAX_FAILED_READS = 10


class NotServed(RuntimeError):
    """The Workspace failed, or was not Ready in time; the message has its last status."""


@dataclass(frozen=True)
class Target:
    """A Workspace in a cluster."""

    kubeconfig: Path
    namespace: str
    name: str

    @property
    def workflow_id(self) -> str:
        return f"workspace/{self.namespace}/{self.name}"


def apply_example(kubeconfig: Path, file: Path = EXAMPLE) -> Target:
    """Applies a Workspace with kubectl, as a user would. Raises CommandFailed.

    Waits first while one of that name is being deleted: applying to it would change an object that is about to go.
    """
    documents = [document for document in yaml.safe_load_all(file.read_text()) if document["kind"] == "Workspace"]
    metadata = documents[-1]["metadata"]
    target = Target(kubeconfig, metadata.get("namespace", "default"), metadata["name"])
    there = ("-n", target.namespace, "get", "workspace", target.name, "--ignore-not-found", "-o")
    if kubectl(kubeconfig, *there, "jsonpath={.metadata.deletionTimestamp}"):
        gone = ("wait", "--for=delete", f"--timeout={GONE_S:g}s", f"workspace/{target.name}")
        kubectl(kubeconfig, "-n", target.namespace, *gone, deadline_s=GONE_S + 10)
    kubectl(kubeconfig, "apply", "-f", str(file))
    return target


def example(layout: Layout, name: str) -> Path:
    """Returns a file of `examples/` rewritten for this stack: images are pushed to and pulled from its own registry."""
    text = (EXAMPLES / f"{name}.yaml").read_text().replace(PLACEHOLDER, layout.registry)
    file = layout.state / "examples" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def follow(
    target: Target, report: Callable[[float, str], None], *, deadline_s: float = READY_S
) -> list[StatusSnapshot]:
    """Reports changes until the Workspace is Ready, or has succeeded; returns all snapshots. Raises NotServed."""
    snapshots = [StatusSnapshot(0.0, WorkspaceStatus())]
    for snapshot in _snapshots(target, deadline_s):
        for line in changes(snapshots[-1].status, snapshot.status):
            report(snapshot.at, line)
        snapshots.append(snapshot)
        if is_done(snapshot.status):
            return snapshots
        if is_over(snapshot.status):
            raise NotServed(f"{target.name} failed: {snapshot.status.reason}: {snapshot.status.message}")
    last = snapshots[-1].status
    raise NotServed(f"{target.name} is not Ready after {deadline_s:g} s; last status: {last.phase}: {last.message}")


def ask(target: Target, *, deadline_s: float = READY_S) -> list[Answer]:
    """Sends the demo's question to both endpoints of the Workspace's Service. Raises NoAnswer, CommandFailed.

    Retries refused connections until the deadline: a Workspace that served before the stack was stopped stays Ready
    until its pods are found missing.
    """
    address, deadline = service_address(target), time.monotonic() + deadline_s
    while True:
        try:
            return [ask_openai(address, QUESTION), ask_kaito(address, QUESTION)]
        except EndpointUnreachable:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)


def service_address(target: Target) -> str:
    """Returns the ClusterIP of the Workspace's Service, which is reachable from this machine too."""
    service = kubectl_json(target.kubeconfig, "-n", target.namespace, "get", "service", target.name)
    return str(service["spec"]["clusterIP"])


def tables(target: Target) -> list[tuple[str, str]]:
    """Returns what `kubectl get` prints for both versions of the resource: command and output."""
    resources = ("workspace", "workspaces.v1alpha1.kaito.sh")
    found = []
    for resource in resources:
        arguments = ("-n", target.namespace, "get", resource, target.name)
        found.append((f"kubectl get {resource} {target.name}", kubectl(target.kubeconfig, *arguments).rstrip()))
    return found


def _snapshots(target: Target, deadline_s: float) -> Iterator[StatusSnapshot]:
    began, failed = time.monotonic(), 0
    while (at := time.monotonic() - began) < deadline_s:
        try:
            found = kubectl_json(target.kubeconfig, "-n", target.namespace, "get", "workspace", target.name)
        except CommandFailed:
            failed += 1
            if failed == MAX_FAILED_READS:
                raise
        else:
            failed = 0
            yield StatusSnapshot(at, parse_status(found.get("status")))
        time.sleep(POLL_S)
