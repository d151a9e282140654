"""A Kubernetes below the minimum gets CRDs that it knows, the chart refuses it, and who else cares for it is listed."""

import re
from pathlib import Path
from typing import Final

import pytest
import yaml

from api.resource.cel import KEY
from deploy.local.cluster import older_kubernetes
from deploy.local.cluster.older_kubernetes import MINIMUM_MINOR, crds_without_rules
from deploy.local.cluster.resources import DEPLOY

ROOT: Final = DEPLOY.parent
ROOMS: Final = (
    *("activities", "admin", "api", "bench", "cli", "deploy", "presets", "process", "runtime", "testing", "watcher"),
    *("worker", "workflows"),
)
LOOKS: Final = re.compile(
    # Kubernetes' version as the code has it.
    r"binaries\.minor|\bminor: int|\bminor (<|>=|==)|\bminor_|_minor\b|MINIMUM_MINOR|older_(kubernetes|policy_api)"
    r"|Capabilities\.KubeVersion"
    # As comments have it: 1.10 to 1.29 beside a word of Kubernetes', and what is below the minimum.
    r"|(Kubernetes|kube\w+|servers?|seen|before|built|measured)\b[^.\n]{0,40} v?1\.[12]\d\b(?! times)"
    r"|[Bb]elow the (product's )?minimum|[Oo]lder (Kubernetes|API servers?)\b",
    re.IGNORECASE,
)
IMPORTS: Final = re.compile(r"^from activities\.manifests\.older_policy_api import DisruptionBudgets$", re.MULTILINE)
"""Who asks the concession for its answer looks at no version."""


def test_copies_of_the_crds_have_no_rules(tmp_path: Path) -> None:
    copies = crds_without_rules(DEPLOY / "crds", tmp_path)
    (file,) = copies.glob("*.yaml")
    source = DEPLOY / "crds" / file.name
    assert KEY in source.read_text()
    assert KEY not in file.read_text()
    assert yaml.safe_load(file.read_text())["metadata"] == yaml.safe_load(source.read_text())["metadata"]


def test_the_chart_has_the_same_minimum() -> None:
    chart = yaml.safe_load((DEPLOY / "chart" / "Chart.yaml").read_text())
    assert chart["kubeVersion"] == f">=1.{MINIMUM_MINOR}.0-0"


def listed() -> set[str]:
    """Files and folders that the module's own list names."""
    return set(re.findall(r"`([\w/]+(?:/|\.py|\.yaml))`", str(older_kubernetes.__doc__)))


def files_that_look() -> set[str]:
    files = (file for room in ROOMS for file in (ROOT / room).rglob("*"))
    sources = (file for file in files if file.suffix in (".py", ".tpl", ".yaml") and "crds" not in file.parts)
    return {str(file.relative_to(ROOT)) for file in sources if looks(file.read_text())}


def looks(text: str) -> bool:
    return LOOKS.search(IMPORTS.sub("", text)) is not None


def test_whatever_looks_at_the_version_is_in_the_list() -> None:
    folders = tuple(name for name in listed() if name.endswith("/"))
    found = {name for name in files_that_look() if not name.startswith(folders)}
    own = str(Path(str(older_kubernetes.__file__)).relative_to(ROOT))
    assert found - {own} == listed() - set(folders)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("if binaries.minor >= 24:", True),
        ("if server_minor(kubeconfig) < 25:", True),
        ("# Kubernetes 1.20 has no such field.", True),
        ("# An API server before v1.29 drops it.", True),
        ('{{- if semverCompare "<1.30" .Capabilities.KubeVersion.Version }}', True),
        ("# Kubernetes says so from 1.35 on.", False),
        ("they need worker deployments (Temporal 1.28 or later)", False),
        ('"nvidia.com/gpu.compute.minor"', False),
    ],
)
def test_a_new_place_would_be_seen(text: str, seen: bool) -> None:
    assert looks(text) is seen
