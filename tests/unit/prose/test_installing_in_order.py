"""What an installation's pages tell people to type works in that order: what a line needs, an earlier one has made."""

import re
from typing import Final

import yaml

from deploy.local.services.pods import NAMESPACE
from tests.unit.prose.test_commands import BLOCK, page, typed

SECRET: Final = re.compile(r"kubectl create secret \S+ (\S+)")


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
