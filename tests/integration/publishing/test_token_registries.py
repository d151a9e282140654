"""Registries with a token service: a password, a refresh token or a workload identity lets the adapter in."""

import json
from pathlib import Path
from typing import Any

import pytest

from api.pods.publish import PublishConfig
from api.pods.registries import AzureIdentity, RegistryAccess
from runtime.pod.exit import Failure
from runtime.publish.__main__ import publish
from tests.integration.publishing.conftest import REPOSITORY
from tests.integration.publishing.token_registry import Rules, TokenRegistry, token_registry


def configured(
    server: TokenRegistry, adapter: Path, entry: dict[str, str] | None = None, **access: Any
) -> PublishConfig:
    configs = {}
    if entry is not None:
        file = adapter.parent / "dockerconfig.json"
        file.write_text(json.dumps({"auths": {f"https://{server.address}/v2/": entry}}))
        configs = {"push-secret": str(file)}
    registry = RegistryAccess(docker_configs=configs, plain_http=(server.address,), **access)
    image = f"{server.address}/{REPOSITORY}:v1"
    return PublishConfig(folder=str(adapter), image=image, model_name="tiny", registry=registry, port=0, attempts=1)


def identity(server: TokenRegistry, adapter: Path, token: str = "token-of-the-pod", **more: Any) -> AzureIdentity:
    file = adapter.parent / "token"
    file.write_text(token)
    given = {"registry_suffixes": ("127.0.0.1",), **more}
    return AzureIdentity(
        tenant_id="tenant", client_id="client", token_file=str(file), authority=f"http://{server.address}", **given
    )


def test_a_password_becomes_a_token_with_the_rights_to_push(adapter: Path) -> None:
    with token_registry() as server:
        publish(configured(server, adapter, {"username": "user", "password": "pass"}))
        assert {scope for scope, _ in server.tokens.values()} == {f"repository:{REPOSITORY}:pull,push"}
        assert "v1" in server.manifests


def test_a_token_that_ends_on_the_way_is_asked_for_again(adapter: Path) -> None:
    with token_registry(Rules(lifetime=3)) as server:
        publish(configured(server, adapter, {"username": "user", "password": "pass"}))
        assert len(server.tokens) > 3
        assert "v1" in server.manifests


def test_an_identity_token_of_a_docker_config_is_used(adapter: Path) -> None:
    with token_registry() as server:
        publish(configured(server, adapter, {"identitytoken": "refresh"}))
        assert "v1" in server.manifests


def test_a_workload_identity_is_exchanged_and_needs_no_secret(adapter: Path) -> None:
    with token_registry() as server:
        publish(configured(server, adapter, azure=identity(server, adapter)))
        assert [path for path, _ in server.forms] == ["/tenant/oauth2/v2.0/token", "/oauth2/exchange", "/oauth2/token"]
        entra, exchange, _ = [form for _, form in server.forms]
        assert (entra["client_id"], entra["scope"]) == ("client", "https://containerregistry.azure.net/.default")
        assert (exchange["service"], exchange["tenant"]) == (server.address, "tenant")
        assert "v1" in server.manifests


def test_a_secret_comes_before_the_workload_identity(adapter: Path) -> None:
    with token_registry() as server:
        entry = {"username": "user", "password": "pass"}
        publish(configured(server, adapter, entry, azure=identity(server, adapter)))
        assert all(not form for _, form in server.forms)


def test_a_registry_of_somebody_else_is_not_shown_the_identity(adapter: Path) -> None:
    with token_registry() as server:
        azure = identity(server, adapter, registry_suffixes=(".azurecr.io",))
        with pytest.raises(Failure) as caught:
            publish(configured(server, adapter, azure=azure))
        assert caught.value.kind.reason == "PushForbidden"
        assert not any(form for _, form in server.forms)


def test_a_refused_identity_is_told_without_its_token(adapter: Path) -> None:
    with token_registry() as server:
        with pytest.raises(Failure, match="workload identity client") as caught:
            publish(configured(server, adapter, azure=identity(server, adapter, token="s3cret-token")))
        assert caught.value.kind.reason == "PushForbidden"
        assert "invalid_client" in caught.value.message
        assert "s3cret" not in caught.value.message


def test_rights_that_do_not_reach_are_told_with_the_scope(adapter: Path) -> None:
    with token_registry(Rules(rights="delete")) as server:
        with pytest.raises(Failure, match="push-secret") as caught:
            publish(configured(server, adapter, {"username": "user", "password": "pass"}))
        assert caught.value.kind.reason == "PushForbidden"
        assert f"repository:{REPOSITORY}:pull,push on {server.address}" in caught.value.message


@pytest.mark.parametrize(
    ("status", "words", "reason"),
    [
        (507, "", "RegistryFull"),
        (500, "write: no space left on device", "RegistryFull"),
        (403, "storage quota exceeded", "RegistryFull"),
        (503, "", "RegistryUnreachable"),
        (413, "blob too large", "BlobRejected"),
        (400, "digest invalid", "BlobRejected"),
    ],
)
def test_what_a_registry_says_to_a_blob_becomes_a_reason(adapter: Path, status: int, words: str, reason: str) -> None:
    with token_registry(Rules(refuse_blobs=(status, words))) as server:
        with pytest.raises(Failure) as caught:
            publish(configured(server, adapter, {"username": "user", "password": "pass"}))
        assert caught.value.kind.reason == reason
        assert words in caught.value.message


@pytest.mark.parametrize("host", ["169.254.169.254", "metadata.google.internal"])
def test_a_realm_inside_the_cloud_is_not_asked(adapter: Path, host: str) -> None:
    with token_registry(Rules(realm=f"https://{host}/token")) as server:
        with pytest.raises(Failure, match="redirects to another host") as caught:
            publish(configured(server, adapter, {"username": "user", "password": "pass"}))
        assert caught.value.kind.reason == "BlobRejected"


def test_a_realm_without_tls_gets_nothing_unless_the_operator_has_it_so(adapter: Path) -> None:
    with token_registry() as other, token_registry(Rules(realm=f"http://{other.address}/oauth2/token")) as server:
        with pytest.raises(Failure, match="has no TLS") as caught:
            publish(configured(server, adapter, {"username": "user", "password": "pass"}))
        assert caught.value.kind.reason == "PushForbidden"
        assert other.shown == []


@pytest.mark.parametrize("entry", [{"username": "user", "password": "pass"}, {"identitytoken": "refresh"}])
def test_a_token_service_cannot_send_a_credential_elsewhere(adapter: Path, entry: dict[str, str]) -> None:
    with token_registry() as other, token_registry(Rules(redirect=f"http://{other.address}/oauth2/token")) as server:
        with pytest.raises(Failure) as caught:
            publish(configured(server, adapter, entry))
        assert caught.value.kind.reason == "BlobRejected"
        assert other.shown == []
