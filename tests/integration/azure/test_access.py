"""Who gets in: the token, the api-version, and what the control endpoint answers."""

import ssl
from typing import Any

import httpx
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.mgmt.containerservice.aio import ContainerServiceClient

from deploy.local.azure.control_client import Address, ControlClient, ControlFailed
from testing.deadlines import PATIENCE_S


def ask(emulator: Any, path: str, **headers: str) -> httpx.Response:
    context = ssl.create_default_context(cafile=str(emulator.address.ca))
    with httpx.Client(verify=context, trust_env=False, timeout=PATIENCE_S) as client:
        return client.get(emulator.address.url + path, headers=headers)


async def test_a_wrong_token_is_refused_through_the_sdk(emulator: Any) -> None:
    async with emulator.azure() as right:
        wrong = type(right._config.credential)("wrong")
    options = {"base_url": emulator.address.url, "connection_verify": str(emulator.address.ca)}
    async with ContainerServiceClient(wrong, "00000000-0000-0000-0000-000000000000", **options) as client:
        with pytest.raises(ClientAuthenticationError, match="InvalidAuthenticationToken"):
            await client.managed_clusters.get("modelyard", "local")


def test_without_a_token_nothing_is_answered_but_the_state(emulator: Any) -> None:
    for path in ("/subscriptions/x/providers/Microsoft.Compute/skus?api-version=1", "/_control/faults"):
        response = ask(emulator, path)
        assert (response.status_code, response.json()["error"]["code"]) == (401, "AuthenticationFailed")
        assert "Bearer" in response.headers["www-authenticate"]
    assert emulator.address.token not in ask(emulator, "/_control/state").text


def test_the_token_is_for_its_owner_only(emulator: Any) -> None:
    assert (emulator.layout.state / "azure-token").stat().st_mode & 0o777 == 0o600


def test_errors_have_arms_format(emulator: Any) -> None:
    token = {"Authorization": f"Bearer {emulator.address.token}"}
    unversioned = ask(emulator, "/subscriptions", **token)
    assert (unversioned.status_code, unversioned.json()["error"]["code"]) == (400, "MissingApiVersionParameter")
    nowhere = ask(emulator, "/subscriptions?api-version=1", **token)
    assert (nowhere.status_code, nowhere.json()["error"]["code"]) == (404, "InvalidResourceType")


async def test_calls_are_counted_by_method_and_route(pools: Any, control: Any) -> None:
    control.reset_calls()
    await pools.create("counted")
    await pools.get("counted")
    calls = control.calls()
    assert (calls["PUT agentPool"], calls["GET agentPool"]) == (1, 2)
    assert calls["GET operation"] >= 2


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param({"kind": "meteor"}, "choose one of quota-exceeded", id="unknown-kind"),
        pytest.param({"kind": "quota-exceeded", "variant": "odd"}, "no variant 'odd', of plain", id="variant"),
        pytest.param({"kind": "throttled", "times": 0}, "times", id="never"),
        pytest.param({"kind": "throttled", "flavour": "sour"}, "flavour", id="unknown-field"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_with_the_reason(
    control: ControlClient, fault: dict[str, Any], words: str
) -> None:
    with pytest.raises(ControlFailed, match=words):
        control.add_fault(**fault)


def test_a_setting_that_does_not_exist_is_refused(control: ControlClient) -> None:
    with pytest.raises(ControlFailed, match="creation_seconds"):
        control.change_settings(creation_seconds=1)


def test_clearing_a_fault_that_is_not_set_is_refused(control: ControlClient) -> None:
    with pytest.raises(ControlFailed, match="no fault 'fault-0' is set"):
        control.clear_faults("fault-0")


def test_an_unreachable_emulator_is_named(emulator: Any) -> None:
    nobody = Address(url="https://127.0.0.1:1", ca=emulator.address.ca, token="x")
    with pytest.raises(ControlFailed, match=r"127\.0\.0\.1:1.*modelyard local status"):
        ControlClient(nobody).faults()
