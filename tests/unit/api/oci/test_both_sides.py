"""Preflight, which has Secrets from the API server, and pods, which have them as files, find the same account."""

import json
import tempfile
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from api.oci.docker_config import Account, DockerConfig, DockerConfigError, accounts_for
from api.oci.image_reference import ImageReference
from runtime.registry.accounts import read_accounts
from runtime.registry.faults import RegistryFault, Trouble
from testing.oci.docker_configs import GOOD, IDENTITY, PASSWORD, USER, nine_secrets
from tests.unit.api.oci.strategies import HOST, documents

FOUND = {
    "password": [Account("s", USER, PASSWORD)],
    "identity": [Account("s", identity_token=IDENTITY)],
    "nothing": [],
}
NINE = nine_secrets("registry.azurecr.io")


def preflight(image: str, document: bytes) -> list[Account] | str:
    secret = {"data": {".dockerconfigjson": b64encode(document).decode()}}
    try:
        return accounts_for(ImageReference.parse(image), [DockerConfig.of_secret("s", secret, by_kubelet=False)])
    except DockerConfigError as error:
        return str(error)


def pod(image: str, document: bytes) -> list[Account] | str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, ".dockerconfigjson")
        file.write_bytes(document)
        try:
            return read_accounts(ImageReference.parse(image), {"s": str(file)})
        except RegistryFault as fault:
            assert fault.trouble is Trouble.FORBIDDEN
            return str(fault)


@pytest.mark.parametrize("name", NINE)
def test_the_nine_secrets_are_read_alike(name: str) -> None:
    image, auths, found = NINE[name]
    document = json.dumps({"auths": auths}).encode()
    assert preflight(image, document) == pod(image, document) == FOUND[found]


@given(documents())
def test_any_docker_config_is_read_alike(document: bytes) -> None:
    # An empty value is no value in a Secret, and an empty document in a file.
    assert preflight(f"{HOST}/team/a:1", document or b" ") == pod(f"{HOST}/team/a:1", document or b" ")


@pytest.mark.parametrize("depth", [80, 700, 900, 930, 950, 970])
def test_nesting_is_read_alike_by_whoever_calls(depth: int) -> None:
    document = f'{{"auths": {{"{HOST}": {json.dumps(GOOD)}}}, "more": {"[" * depth}{"]" * depth}}}'.encode()

    def from_below(frames: int) -> list[Account] | str:
        return from_below(frames - 1) if frames else preflight(f"{HOST}/team/a:1", document)

    assert from_below(100) == pod(f"{HOST}/team/a:1", document)


def test_a_secret_that_is_not_mounted_hides_no_other(tmp_path: Path) -> None:
    file = tmp_path / "good"
    file.write_text(json.dumps({"auths": {HOST: GOOD}}))
    image = ImageReference.parse(f"{HOST}/a")
    configs: dict[str, Any] = {"gone": str(tmp_path / "gone"), "good": str(file)}
    assert read_accounts(image, configs) == [Account("good", USER, PASSWORD)]
    with pytest.raises(RegistryFault, match=r"the Secret gone has no \.dockerconfigjson"):
        read_accounts(image, {"gone": configs["gone"]})
    with pytest.raises(RegistryFault, match=r"the Secret folder cannot be read \(IsADirectoryError\)"):
        read_accounts(image, {"folder": str(tmp_path)})
