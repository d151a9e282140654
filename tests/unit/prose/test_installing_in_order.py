"""What an installation's pages tell people to type works in that order: what a line needs, an earlier one has made."""

import re
from typing import Final

import yaml

from deploy.local.services.chart import RELEASE
from deploy.local.services.pods import NAMESPACE
from tests.unit.prose.test_commands import BLOCK, page, typed

SECRET: Final = re.compile(r"kubectl create secret \S+ (\S+)")
HELMS_OWN: Final = {
    "app.kubernetes.io/managed-by": "Helm",
    "meta.helm.sh/release-name": RELEASE,
    "meta.helm.sh/release-namespace": NAMESPACE,
}
"""What an object has that Helm lets a release take over (Helm, pkg/action/validate.go)."""


def test_the_namespace_is_there_before_something_is_put_into_it() -> None:
    lines = [line for line in typed("install") if NAMESPACE in line and "serviceaccount:" not in line]
    assert lines[0] == f"kubectl create namespace {NAMESPACE}"
    assert "kubectl create namespace" in page("install").partition("\n### 3. Temporal")[0]


def test_buildah_is_installed_before_it_logs_in() -> None:
    for name in ("install", "images"):
        lines = list(typed(name))
        [login] = [number for number, line in enumerate(lines) if "buildah login" in line]
        assert any(line.startswith("make images") for line in lines[:login]), name


def test_each_secret_that_values_name_is_made_on_the_page() -> None:
    blocks = [yaml.safe_load(block) for block in BLOCK.findall(page("install"))]
    given = [block["temporal"] for block in blocks if "temporal" in block]
    named = {one["apiKey"]["secret"] for one in given if "apiKey" in one}
    for one in given:
        named |= {value for key, value in one.get("tls", {}).items() if key.endswith("Secret")}
    assert named == {"temporal-cloud", "temporal-client", "temporal-ca"}
    assert named <= set(SECRET.findall("\n".join(typed("install"))))
    assert "temporal-cloud" in SECRET.findall("\n".join(typed("temporal")))


def test_no_example_has_two_ways_to_prove_who_one_is() -> None:
    for block in BLOCK.findall(page("install")):
        assert not ("apiKey" in block and "clientCertificateSecret" in block)


def test_kaitos_crd_is_handed_to_the_chart_before_it_is_installed() -> None:
    """Helm refuses what belongs to nobody or to another release."""
    words = " ".join(line for line in typed("migrate-from-kaito") if "crd workspaces.kaito.sh" in line).split()
    assert dict(word.split("=") for word in words if "=" in word) == HELMS_OWN


def test_nobody_is_told_to_remove_the_chart_that_has_all_workspaces_in_it() -> None:
    """KAITO's has the CRD among its templates, and Helm deletes what is in a chart, whoever uses it now."""
    lines = list(typed("migrate-from-kaito"))
    assert not any(line.startswith("helm uninstall") for line in lines)
    assert any("delete secret" in line and "owner=helm,name=kaito-workspace" in line for line in lines)


def test_a_binding_by_hand_does_not_take_the_name_of_one_of_the_charts() -> None:
    """The namespace may join the chart's list later, and Helm refuses what is there and not its own."""
    by_hand = re.findall(r"kubectl create rolebinding (\S+)", "\n".join(typed("operations")))
    assert by_hand and not {name for name in by_hand if name.startswith("modelyard:")}
