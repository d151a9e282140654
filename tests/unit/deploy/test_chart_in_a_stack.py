"""The values with which a local stack installs the chart: valid, complete, and without a secret."""

from typing import Any

import pytest

from deploy.chart_values.installation import Values
from deploy.local.layout import LOOPBACK, Layout
from deploy.local.services import chart
from deploy.local.services.modelyard import token_file


@pytest.fixture
def layout(with_torch: Layout) -> Layout:
    with_torch.pki.mkdir(parents=True)
    (with_torch.pki / "ca.crt").write_text("certificate")
    return with_torch


def over(defaults: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Values as Helm merges them: maps by key, all else replaced."""
    maps = {key for key, value in given.items() if isinstance(value, dict) and isinstance(defaults.get(key), dict)}
    return defaults | given | {key: over(defaults[key], given[key]) for key in maps}


def test_the_chart_knows_every_value(layout: Layout) -> None:
    given = chart.values(layout)
    found = Values.model_validate(over(Values().model_dump(by_alias=True), given)).model_dump(by_alias=True)
    assert over(found, given) == found


def test_pods_are_sent_to_addresses_that_they_can_reach(layout: Layout) -> None:
    values = chart.values(layout)
    for address in (values["temporal"]["address"], values["azure"]["endpoint"], values["settings"]["hfEndpoint"]):
        assert layout.address in address and LOOPBACK not in address


def test_the_credential_is_in_a_secret_of_a_restricted_namespace_and_nowhere_else(layout: Layout) -> None:
    namespace, examples, secret = chart.prerequisites(layout).values()
    for restricted in (namespace, examples):
        assert restricted["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert secret["metadata"]["namespace"] == namespace["metadata"]["name"] != examples["metadata"]["name"]
    assert set(secret["data"]) == {"ca.crt", "token"}
    assert token_file(layout).read_text() not in str(chart.values(layout))
    mounted = chart.values(layout)["workerCloud"]
    folder = mounted["secretMounts"][0]["path"]
    assert mounted["environment"]["MODELYARD_AZURE_CREDENTIAL"] == f"token-file:{folder}/token"


def test_nothing_of_the_users_helm_is_read(layout: Layout) -> None:
    folders = {name: value for name, value in chart.helm_environment(layout).items() if name.startswith("HELM_")}
    assert len(folders) == 3 and all(value.startswith(str(layout.state)) for value in folders.values())
