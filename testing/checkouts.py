"""Checkouts of other commits, so that their processes can be measured beside today's, by the same harness.

A checkout is a folder without history. Its own `deploy/local` says which processes it has and how they are started
(`commit_programs.py` asks); CRDs and roles are its own too. Everything around them is this checkout's.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from deploy.local.host.daemons import Daemon
from deploy.local.host.probes import once_answers
from deploy.local.layout import Layout

ROOT: Final = Path(__file__).parents[1]
HERE: Final = "."
"""In the place of a commit: this checkout as it is, changes included."""
COMMAND_S: Final = 120.0
READY_S: Final = 60.0
_ASKS: Final = Path(__file__).with_name("commit_programs.py")


class CheckoutFailed(RuntimeError):
    """There is no such commit, or its processes cannot be described; the message has what was said."""


@dataclass(frozen=True)
class Checkout:
    """`label` is the short commit, or "." for this checkout; `root` is where its sources are."""

    label: str
    root: Path


@dataclass(frozen=True)
class Programs:
    """What a checkout runs: its daemons, the users that they are in the cluster, and `NAME=TYPE` of the search
    attributes that they write."""

    daemons: tuple[Daemon, ...]
    identities: tuple[str, ...]
    search_attributes: tuple[str, ...]


OURS: Final = Checkout(HERE, ROOT)


@contextmanager
def checked_out(commit: str) -> Iterator[Checkout]:
    """Yields the sources of a commit of this repository, which are deleted afterwards. Raises CheckoutFailed."""
    if commit == HERE:
        yield OURS
        return
    label = _run("git", "rev-parse", "--verify", "--short", f"{commit}^{{commit}}").strip()
    with TemporaryDirectory(prefix=f"modelyard-{label}-") as folder:
        root, archive = Path(folder) / "sources", Path(folder) / "sources.tar"
        root.mkdir()
        _run("git", "archive", "--format=tar", f"--output={archive}", label)
        _run("tar", "-xf", str(archive), "-C", str(root))
        archive.unlink()
        yield Checkout(label, root)


def programs_of(checkout: Checkout, layout: Layout) -> Programs:
    """Asks the checkout's own code for its processes in this stack. Raises CheckoutFailed."""
    answer = json.loads(_run(sys.executable, str(_ASKS), layout.instance, env=sources_of(checkout)))
    if Path(answer["root"]) != checkout.root:
        raise CheckoutFailed(f"modules come from {answer['root']}, not from {checkout.root}: look for a .pth before it")
    return Programs(
        tuple(_daemon(one, checkout) for one in answer["programs"]),
        tuple(one["identity"] for one in answer["programs"]),
        tuple(f"{name}={type_}" for name, type_ in answer["search_attributes"].items()),
    )


def sources_of(checkout: Checkout) -> dict[str, str]:
    """The environment in which this interpreter imports the checkout's modules, wherever it is started."""
    return {"PYTHONPATH": str(checkout.root), "PYTHONSAFEPATH": "1"}


def _daemon(described: dict[str, Any], checkout: Checkout) -> Daemon:
    return Daemon(
        name=described["name"],
        argv=tuple(described["argv"]),
        env={**described["env"], **sources_of(checkout)},
        ready=once_answers(described["ready"]),
        deadline_s=READY_S,
    )


def _run(*argv: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        argv, cwd=ROOT, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=COMMAND_S
    )
    if done.returncode != 0:
        raise CheckoutFailed(f"{' '.join(argv)}: {done.stderr.strip()[-2000:]}")
    return done.stdout
