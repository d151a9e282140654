"""The registry of local nodes: one folder per node with its number, which determines address and pod subnet.

A record is created before anything of the node is started and removed after everything of it has ended, so that a
half-started or half-stopped node is still known.
"""

import fcntl
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from deploy.local.layout import Layout


@dataclass(frozen=True)
class NodeSpec:
    """A node to start. `cpu` (cores) and `memory_mib` lower what may be allocated; None offers the machine's."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[str] = ()
    gpus: int = 0
    provider_id: str = ""
    cpu: int | None = None
    memory_mib: int | None = None


MAX_NODES = 240
# Kubernetes' rule for names that are also DNS labels.
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class NodeFailed(RuntimeError):
    """A node is unknown, its name is invalid, all numbers are taken, or it is not Ready in time."""


def claim(layout: Layout, spec: NodeSpec) -> int:
    """Returns the node's number (1..MAX_NODES): its existing one, or the lowest free one. Raises NodeFailed."""
    if not NAME.fullmatch(spec.name):
        raise NodeFailed(f"{spec.name!r} is not a node name: use up to 63 lower-case letters, digits and dashes")
    with _lock(layout):
        taken = numbers(layout)
        number = taken.get(spec.name) or _lowest_free(set(taken.values()))
        folder = folder_of(layout, spec.name)
        folder.mkdir(parents=True, exist_ok=True)
        record = {"number": number, "spec": asdict(spec)}
        (folder / "node.json").write_text(json.dumps(record, default=list, indent=1))
        return number


def numbers(layout: Layout) -> dict[str, int]:
    """Returns every node's number by name."""
    files = layout.nodes.glob("*/node.json")
    return {file.parent.name: int(json.loads(file.read_text())["number"]) for file in files}


def number_of(layout: Layout, name: str) -> int | None:
    return numbers(layout).get(name)


def known_number_of(layout: Layout, name: str) -> int:
    """Returns the node's number. Raises NodeFailed for an unknown node."""
    number = number_of(layout, name)
    if number is None:
        raise NodeFailed(f"there is no local node {name!r}; there are: {', '.join(sorted(numbers(layout))) or 'none'}")
    return number


def folder_of(layout: Layout, name: str) -> Path:
    return layout.nodes / name


def forget(layout: Layout, name: str) -> None:
    """Removes the node's folder; the record goes last."""
    folder = folder_of(layout, name)
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != "node.json":
            entry.unlink()
    with _lock(layout):
        shutil.rmtree(folder)


def _lowest_free(taken: set[int]) -> int:
    free = next((number for number in range(1, MAX_NODES + 1) if number not in taken), None)
    if free is None:
        raise NodeFailed(f"there are {MAX_NODES} local nodes, which is the maximum: stop one first")
    return free


@contextmanager
def _lock(layout: Layout) -> Iterator[None]:
    layout.nodes.mkdir(parents=True, exist_ok=True)
    with (layout.nodes / ".lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
