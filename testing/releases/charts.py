"""The chart of a later release: the CRD has one field more, and the watcher's rights one rule more."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from deploy.local.cluster.kubectl import kubectl_json
from deploy.local.services.chart import CHART

VERSION: Final = "0.99.0"
FIELD: Final = "purpose"
SCHEMA: Final = {"type": "string", "maxLength": 63, "description": "What the nodes are for. Says nothing to anybody."}
RULE: Final = {"apiGroups": ["apps"], "resources": ["statefulsets"], "verbs": ["list"]}
CRD: Final = "workspaces.kaito.sh"
ROLE: Final = "modelyard:watcher"


@dataclass(frozen=True)
class Installed:
    """What of a chart is in a cluster: its version, by the label of its role; whether the field is there, by version of
    the CRD; whether the role has the rule."""

    version: str
    fields: Mapping[str, bool]
    rule: bool


def write_chart(folder: Path) -> Path:
    """Writes the chart of a later release; returns the folder. Its images' tags follow its version: values name them
    where they shall stay."""
    shutil.copytree(CHART, folder)
    _edit(folder / "Chart.yaml", lambda chart: chart.update(version=VERSION, appVersion=VERSION))
    _edit(folder / "files" / "crd.yaml", _add_field)
    _edit(folder / "files" / "rights.yaml", lambda rights: rights[ROLE]["cluster"].append(RULE))
    return folder


def installed(kubeconfig: Path) -> Installed:
    """Raises CommandFailed."""
    crd = kubectl_json(kubeconfig, "get", "crd", CRD)
    role = kubectl_json(kubeconfig, "get", "clusterrole", ROLE)
    return Installed(
        version=role["metadata"]["labels"]["helm.sh/chart"].rpartition("-")[2],
        fields={version["name"]: FIELD in _fields(version) for version in crd["spec"]["versions"]},
        rule=RULE in role["rules"],
    )


def _edit(file: Path, change: Callable[[Any], None]) -> None:
    document = yaml.safe_load(file.read_text())
    change(document)
    file.write_text(yaml.safe_dump(document, sort_keys=False))


def _add_field(crd: dict[str, Any]) -> None:
    for version in crd["spec"]["versions"]:
        _fields(version)[FIELD] = SCHEMA


def _fields(version: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"]["resource"]["properties"]
    return found
