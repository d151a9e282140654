"""A Kubernetes below the minimum gets CRDs that it knows; the chart refuses it."""

from pathlib import Path

import yaml

from api.resource.cel import KEY
from deploy.local.cluster.older_kubernetes import MINIMUM_MINOR, crds_without_rules
from deploy.local.cluster.resources import DEPLOY


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
