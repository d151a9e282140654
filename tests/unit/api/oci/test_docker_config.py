"""Which account of a docker config a registry gets: as the kubelet decides it, bounded, and nothing is shown."""

import json
import time
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.oci.docker_config import (
    BYTES_MAX,
    ENTRIES_MAX,
    Account,
    DockerConfig,
    DockerConfigError,
    accounts_for,
)
from api.oci.image_reference import ImageReference
from testing.oci.docker_configs import EMPTY_ID, GOOD, IDENTITY, PASSWORD, USER, encoded
from tests.unit.api.oci.strategies import HOST, SECRET, documents, entries, keys

IMAGE = "registry.example.com/team/server:1"
LOGIN = {"auth": encoded(EMPTY_ID), "identitytoken": IDENTITY}


def config(auths: Any, secret: str = "s") -> DockerConfig:
    return DockerConfig(secret, json.dumps({"auths": auths}).encode())


def found(image: str, *configs: DockerConfig, **more: bool) -> list[Account]:
    return accounts_for(ImageReference.parse(image), configs, **more)


@pytest.mark.parametrize(
    ("image", "key"),
    [
        pytest.param(IMAGE, "registry.example.com", id="host"),
        pytest.param(IMAGE, "https://registry.example.com/v2/", id="address"),
        pytest.param(IMAGE, "http://registry.example.com", id="address without TLS"),
        pytest.param(IMAGE, "registry.example.com/", id="slash"),
        pytest.param(IMAGE, "https://registry.example.com/v1", id="version without slash"),
        pytest.param(IMAGE, "https://registry.example.com/v2/team", id="version and path"),
        pytest.param(IMAGE, "registry.example.com/team", id="path"),
        pytest.param(IMAGE, "registry.example.com/team/server", id="whole path"),
        pytest.param(IMAGE, "*.example.com", id="glob"),
        pytest.param(IMAGE, "reg*.example.c[n-p]m/team", id="globs and path"),
        pytest.param(IMAGE, "r[!e]gistry.example.com", id="an exclamation mark in brackets is one of the letters"),
        pytest.param(IMAGE, "https://ann:x@registry.example.com", id="address with a user"),
        pytest.param(IMAGE, "registry.example.com?a=b", id="address with a query"),
        pytest.param(IMAGE, "registry.example.com/team#a", id="address with a fragment"),
        pytest.param(IMAGE, "registry.example.com/te%61m", id="encoded path"),
        pytest.param("phi:1", "https://index.docker.io/v1/", id="docker's hub"),
        pytest.param("docker.io/ann/phi", "docker.io", id="docker's hub by name"),
        pytest.param("ann/phi", "registry-1.docker.io", id="docker's hub by address"),
        pytest.param("ann/phi", "docker.io/ann", id="docker's hub with a path"),
        pytest.param("r.example.com:5000/phi", "r.example.com:5000", id="port"),
        pytest.param("r.example.com:5000/phi", "*.example.com:5000", id="glob with port"),
        pytest.param("[2001:db8::1]:5000/phi", "[2001:db8::1]:5000", id="IPv6"),
    ],
)
def test_a_registry_gets_its_account(image: str, key: str) -> None:
    assert found(image, config({key: GOOD})) == [Account("s", USER, PASSWORD)]


@pytest.mark.parametrize(
    ("image", "key"),
    [
        pytest.param(IMAGE, "registry.example.org", id="another host"),
        pytest.param(IMAGE, "registry.example.com/te", id="half a path"),
        pytest.param(IMAGE, "*.com", id="a star is one part of a name"),
        pytest.param(IMAGE, "*", id="a star alone"),
        pytest.param(IMAGE, "r?gistry.example.com", id="a question mark begins a query"),
        pytest.param(IMAGE, "[a-z]*.example.com", id="brackets at the beginning are an address"),
        pytest.param(IMAGE, "r[!x]gistry.example.com", id="brackets do not negate"),
        pytest.param(IMAGE, "r[^x]gistry.example.com", id="a host has no circumflex"),
        pytest.param(IMAGE, "r[]e]gistry.example.com", id="empty brackets"),
        pytest.param(IMAGE, "registry.ex\\ample.com", id="a host has no backslash"),
        pytest.param(IMAGE, "registry.example.com//team", id="two slashes"),
        pytest.param(IMAGE, "oci://registry.example.com", id="another scheme"),
        pytest.param("r.example.com:5000/phi", "r.example.com", id="another port"),
        pytest.param("r.example.com:5000/phi", "r.example.com:*", id="a port is no glob"),
        pytest.param("r.example.com/phi", "r.example.com/*", id="a path is no glob"),
        pytest.param("phi:1", "registry.example.com", id="docker's hub"),
        pytest.param("ann/phi:1", "docker.io/bob", id="another path of docker's hub"),
        pytest.param("ann/phi:1", "*.docker.io", id="a glob for docker's hub's other names"),
    ],
)
def test_another_registry_gets_none(image: str, key: str) -> None:
    assert found(image, config({key: GOOD})) == []


def test_the_more_exact_entry_wins() -> None:
    names = ["*.example.com", "registry.example.com", "registry.example.com/team", "registry.example.com/team/server"]
    for more in range(1, len(names) + 1):
        for order in (1, -1):
            auths = {name: GOOD | {"username": name} for name in names[:more][::order]}
            assert [account.user for account in found(IMAGE, config(auths))] == [names[more - 1]]


@pytest.mark.parametrize(
    "auth",
    [
        encoded("ann:p:q"),
        encoded("ann:p:q") + "\n",
        encoded("ann:p:q").rstrip("="),
        "\r\n".join(encoded("ann:p:q")),
        f" {encoded('ann:p:q')} ",
        encoded("ann:p:q\x00\x00"),
    ],
)
def test_auth_is_decoded_leniently_and_wins(auth: str) -> None:
    assert found(IMAGE, config({"registry.example.com": {"auth": auth}})) == [Account("s", "ann", "p:q")]
    assert found(IMAGE, config({"registry.example.com": {"auth": auth, **GOOD}})) == [Account("s", "ann", "p:q")]


@pytest.mark.parametrize("auth", ["!", encoded("bob"), encoded("bob:"), encoded(":p"), "", None])
def test_an_auth_that_is_broken_does_not_hide_user_and_password(auth: str | None) -> None:
    assert found(IMAGE, config({"registry.example.com": {"auth": auth, **GOOD}})) == [Account("s", USER, PASSWORD)]


def test_an_identity_token_is_for_us_and_not_for_the_kubelet() -> None:
    login = config({"registry.example.com": LOGIN})
    assert found(IMAGE, login) == [Account("s", identity_token=IDENTITY)]
    with pytest.raises(DockerConfigError, match="identity token, which the kubelet does not use"):
        found(IMAGE, login, identity_tokens=False)
    both = config({"registry.example.com": GOOD | {"identitytoken": IDENTITY}})
    assert found(IMAGE, both) == [Account("s", USER, PASSWORD, IDENTITY)]
    assert found(IMAGE, both, identity_tokens=False) == [Account("s", USER, PASSWORD)]


def test_the_older_form_has_registries_at_the_top() -> None:
    document = b64encode(json.dumps({"registry.example.com": GOOD}).encode()).decode()
    secret = {"type": "kubernetes.io/dockercfg", "data": {".dockercfg": document}}
    assert found(IMAGE, DockerConfig.of_secret("s", secret, by_kubelet=True)) == [Account("s", USER, PASSWORD)]
    with pytest.raises(DockerConfigError, match=r"the Secret s has no \.dockerconfigjson"):
        found(IMAGE, DockerConfig.of_secret("s", secret, by_kubelet=False))


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("Opaque", ".dockerconfigjson"),
        (None, ".dockerconfigjson"),
        ("kubernetes.io/dockercfg", ".dockerconfigjson"),
        ("kubernetes.io/dockerconfigjson", ".dockercfg"),
    ],
)
def test_the_kubelet_reads_a_secret_by_its_type_and_our_pods_do_not(kind: str | None, key: str) -> None:
    document = b64encode(json.dumps({"auths": {"registry.example.com": GOOD}}).encode()).decode()
    secret = {"type": kind, "data": {key: document}}
    with pytest.raises(DockerConfigError, match=f"is of type {kind or 'Opaque'}|has no .dockerconfigjson"):
        found(IMAGE, DockerConfig.of_secret("s", secret, by_kubelet=True))
    if key == ".dockerconfigjson":
        assert found(IMAGE, DockerConfig.of_secret("s", secret, by_kubelet=False)) == [Account("s", USER, PASSWORD)]


def test_each_secret_gives_one_account_in_order_and_a_broken_one_hides_none() -> None:
    right = {"registry.example.com": GOOD}
    configs = [config(right, "a"), config({}, "b"), config([], "c"), DockerConfig("d", None), config(right, "e")]
    assert [account.secret for account in found(IMAGE, *configs)] == ["a", "e"]
    with pytest.raises(DockerConfigError, match="the Secret c has a docker config without registries"):
        found(IMAGE, *configs[1:4])


@pytest.mark.parametrize(
    ("secret", "lack"),
    [
        ({}, r"has no \.dockerconfigjson"),
        ({"data": {"token": "eA=="}}, r"has no \.dockerconfigjson"),
        ({"data": {".dockerconfigjson": "!"}}, "not JSON"),
        ({"data": {".dockerconfigjson": encoded("[" * 200_000)}}, "more than 100 levels"),
        ({"data": {".dockerconfigjson": encoded('["[[[[[' + '\\"[' * 300_000)}}, "not JSON"),
        ({"data": {".dockerconfigjson": encoded("{" * 101 + "}" * 101)}}, "more than 100 levels"),
        ({"data": {".dockerconfigjson": encoded("[]")}}, "without registries"),
        ({"data": {".dockerconfigjson": encoded('{"auths": "s3cret"}')}}, "without registries"),
        ({"data": {".dockerconfigjson": encoded(" " * BYTES_MAX + "{}")}}, f"more than {BYTES_MAX} bytes"),
    ],
)
def test_an_invalid_docker_config_is_named_with_what_it_lacks(secret: dict[str, Any], lack: str) -> None:
    with pytest.raises(DockerConfigError, match=f"the Secret s .*{lack}"):
        found(IMAGE, DockerConfig.of_secret("s", secret, by_kubelet=False))


@pytest.mark.parametrize(
    ("entry", "lack"),
    [
        ("s3cret", "without an account"),
        ({}, "without user name and password"),
        ({"username": "s3cret"}, "without a password"),
        ({"username": "s3cret", "password": 1}, "without a password"),
        ({"password": "s3cret\ud800", "username": "s3cret"}, "without a password"),
        ({"auth": "s3cret!"}, "`auth` that is not user:password in base64"),
        ({"auth": encoded("s3cret")}, "`auth` that is not user:password in base64"),
        ({"auth": b64encode(b"s3cret:\xff").decode()}, "`auth` that is not user:password in base64"),
        ({"auth": encoded("s3cret:")}, "without a password"),
    ],
)
def test_an_entry_that_cannot_be_used_says_what_it_lacks(entry: Any, lack: str) -> None:
    with pytest.raises(DockerConfigError) as caught:
        found(IMAGE, config({"registry.example.com": entry}))
    reported = str(caught.value)
    assert reported.startswith("the Secret s has an entry for registry.example.com with")
    assert reported.endswith(lack) and "s3cret" not in reported


def test_registries_above_the_limit_are_not_read() -> None:
    auths = {f"r{number}.example": GOOD for number in range(ENTRIES_MAX)}
    assert found(f"r{ENTRIES_MAX - 1}.example/a", config(auths))
    with pytest.raises(DockerConfigError, match=f"{ENTRIES_MAX + 1} registries"):
        found(IMAGE, config(auths | {"one.more": GOOD}))


def test_globs_that_are_made_to_take_long_do_not() -> None:
    auths: dict[str, Any] = {f"{'*a' * 30}.{'*a' * 30}.{'*a' * 25}{number}*": {} for number in range(ENTRIES_MAX)}
    image = f"{'a' * 63}.{'a' * 63}.{'a' * 63}/a"
    began = time.process_time()
    assert found(image, config(auths)) == []
    # A pattern that tries all ways would take years; half a minute is for slow machines.
    assert time.process_time() - began < 30


@given(documents(), documents())
def test_whatever_a_secret_holds_only_our_own_error_is_raised_and_nothing_is_shown(one: bytes, two: bytes) -> None:
    configs = [DockerConfig("one", one), DockerConfig("two", two, legacy=True)]
    for identity_tokens in (True, False):
        try:
            shown = repr(found(f"{HOST}/team/a", *configs, identity_tokens=identity_tokens))
        except DockerConfigError as error:
            shown = f"{error} {error!r} {error.__cause__} {error.__context__ if not error.__suppress_context__ else ''}"
        assert SECRET not in shown + repr(configs)


@given(st.dictionaries(keys, entries, max_size=5))
def test_a_broken_entry_never_hides_a_good_one(auths: dict[str, Any]) -> None:
    (account,) = found(f"{HOST}/team/a", config(auths | {HOST: GOOD}))
    assert account.password or account.identity_token
    (account,) = found(f"{HOST}/team/a", config({"*.azurecr.io": GOOD, f"{HOST}/team": {}, HOST: None}))
    assert account == Account("s", USER, PASSWORD)
