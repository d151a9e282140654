"""Helm as a user runs it, on this repository's chart."""

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.local.kubernetes.helm import helm_folders
from deploy.local.services.chart import CHART, RELEASE
from deploy.local.services.pods import NAMESPACE

VALUE_SETS: Final = tuple(sorted(file.stem for file in (CHART / "ci").glob("*.yaml")))
DEADLINE_S: Final = 120

Object = dict[str, Any]


class HelmFailed(RuntimeError):
    """Helm's error message."""


@dataclass(frozen=True)
class Helm:
    """Runs Helm; with `kubeconfig` it reaches a cluster. Nothing of the user's own Helm is read or written."""

    program: Path
    home: Path
    kubeconfig: Path | None = None

    def __call__(self, *arguments: str) -> str:
        """Returns what Helm prints. Raises HelmFailed with its message."""
        cluster = {"KUBECONFIG": str(self.kubeconfig or "/dev/null"), "NO_PROXY": "127.0.0.1"}
        done = subprocess.run(
            [self.program, *arguments],
            capture_output=True,
            text=True,
            env=helm_folders(self.home) | cluster | {"HOME": str(self.home)},
            timeout=DEADLINE_S,
            check=False,
        )
        if done.returncode:
            raise HelmFailed(done.stdout + done.stderr)
        return done.stdout

    @cache  # noqa: B019 - the fixtures keep it for the whole run anyway
    def rendered(self, value_set: str, *settings: str) -> tuple[Object, ...]:
        """Returns the objects that the chart makes of values in `ci`, changed by `--set` settings."""
        text = self("template", RELEASE, str(CHART), "--namespace", NAMESPACE, *values(value_set, *settings))
        return tuple(document for document in yaml.safe_load_all(text) if document)


def values(value_set: str, *settings: str) -> list[str]:
    """Returns the arguments that name values."""
    chosen = ["--values", str(CHART / "ci" / f"{value_set}.yaml")]
    return [*chosen, *(argument for setting in settings for argument in ("--set", setting))]


def of_kind(objects: tuple[Object, ...], *kinds: str) -> list[Object]:
    """Returns the objects of these kinds."""
    return [each for each in objects if each["kind"] in kinds]


def named(objects: tuple[Object, ...], kind: str, name: str) -> Object:
    """Returns the object of that kind and name. Raises ValueError unless there is one."""
    [found] = [each for each in of_kind(objects, kind) if each["metadata"]["name"] == name]
    return found
