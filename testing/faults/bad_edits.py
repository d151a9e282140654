"""Three edits of a Workspace that serves which no engine survives: a parser that it does not know, an argument that it
refuses, an image that does not exist.

The engine is played: the simulated kubelet ends the servers that are given what a real one would refuse, and leaves
the others alone, so that what served before can serve again.
"""

from dataclasses import dataclass
from typing import Any, Final

from activities.clients.kubernetes import Object
from api.resource.conditions import find_condition
from api.resource.status import parse_status
from testing.pods.rules import PodRule
from testing.workspaces import NAMESPACE, PRESET, Workspaces, status_of, workspace
from workflows.messages import SIGNAL_CHANGED, Changed

GOOD_IMAGE: Final = "127.0.0.1:9/serve:1"
BAD_IMAGE: Final = "127.0.0.1:9/serve:none"
OPTIONS: Final = "/inference/config"
IMAGE: Final = "/inference/template/spec/containers/0/image"


@dataclass(frozen=True)
class BadEdit:
    """`given` tells the pods that the edit brings from those of before; `cause` is what the status must say;
    `unpulled`: the image is not there, instead of a server that ends."""

    given: str
    cause: str
    unpulled: bool = False

    def rule(self, workspace: str, **fields: Any) -> PodRule:
        """For the pods of Workspaces with such names."""
        how = {"unpulled" if self.unpulled else "failure_message": self.cause}
        return PodRule(workspace=workspace, given=self.given, **(how | fields))


EDITS: Final = {
    "parser": BadEdit("*hermes*", "invalid tool call parser: hermes"),
    "argument": BadEdit('*"max-num-seqs": 77*', "ValueError: 77 sequences are too many"),
    "image": BadEdit(f"*{BAD_IMAGE}*", "manifest unknown", unpulled=True),
}


def before(edit: str, name: str, preset: str = PRESET) -> Object:
    """The Workspace that the edit is to meet; `set_options` makes the ConfigMap that it may name."""
    body = workspace(name, preset=preset)
    if edit == "image":
        container = {"name": "serve", "image": GOOD_IMAGE, "ports": [{"containerPort": 5000}]}
        body["inference"] = {"template": {"spec": {"containers": [container]}}}
    else:
        body["inference"]["config"] = f"{name}-options"
    return body


async def set_options(workspaces: Workspaces, name: str, **options: Any) -> None:
    """Writes the user's ConfigMap, of vLLM's options."""
    text = "vllm:\n" + "".join(f"  {key.replace('_', '-')}: {value}\n" for key, value in options.items())
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": NAMESPACE}}
    data = {"inference_config.yaml": text}
    await workspaces.cluster.apply("ConfigMap", body | {"data": data}, manager="people")


async def make(workspaces: Workspaces, edits: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Makes Workspaces by name, each for an edit and with a preset; returns their uids by name."""
    for name, (edit, _) in edits.items():
        if edit != "image":
            await set_options(workspaces, f"{name}-options", max_num_seqs=8)
    return await workspaces.create(*(before(edit, name, preset) for name, (edit, preset) in edits.items()))


async def carry_out(workspaces: Workspaces, edit: str, name: str) -> None:
    """The parser comes by the ConfigMap alone, and is found by a look; the others are a new generation."""
    if edit == "parser":
        await set_options(workspaces, f"{name}-options", tool_call_parser="hermes")
        await look_at(workspaces, name)
        return
    if edit == "argument":
        await set_options(workspaces, f"{name}-worse", max_num_seqs=77)
    path, value = (OPTIONS, f"{name}-worse") if edit == "argument" else (IMAGE, BAD_IMAGE)
    await workspaces.cluster.patch("Workspace", name, NAMESPACE, [{"op": "replace", "path": path, "value": value}])


async def look_at(workspaces: Workspaces, name: str) -> None:
    """As the hour does."""
    found = await workspaces.get(name)
    assert found is not None
    look = Changed(uid=found["metadata"]["uid"], generation=0, resync=True)
    await workspaces.handle(name).signal(SIGNAL_CHANGED, look)


async def forget_options(workspaces: Workspaces, *names: str) -> None:
    """Deletes the users' ConfigMaps."""
    for name in names:
        for suffix in ("options", "worse"):
            await workspaces.cluster.delete("ConfigMap", f"{name}-{suffix}", NAMESPACE)


def is_told_of(found: Object) -> bool:
    """Whether the status says that an edit has failed."""
    applied = find_condition(parse_status(found.get("status")).conditions, "GenerationApplied")
    return applied is not None and applied.status == "False"


def serves_again(found: Object) -> bool:
    """Whether an edit has failed and what was before it serves."""
    return is_told_of(found) and status_of(found).get("phase") == "Ready"
