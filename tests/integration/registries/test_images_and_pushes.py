"""Whether an image is there and whether a push is allowed, asked of real registries, and nothing is left behind."""

import json
import logging
import re
from base64 import b64decode, b64encode
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from activities.clients.kubernetes import Object
from activities.clients.registry import Registries, RegistryUnreachable
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Check, Plan
from activities.preflight.images import WITH_ADAPTERS
from activities.preflight.verdicts import adapter_verdict
from activities.preflight.workload import WorkloadPreflight
from api.oci.image_reference import ImageReference
from api.pods.registries import AzureIdentity
from testing.deadlines import PATIENCE_S
from tests.builders import a_plan
from tests.integration.registries.conftest import READER, secret_for

KEY = WorkspaceKey(namespace="default", name="w", uid="u")
CONFIG = b"{}"


class Objects:
    """A cluster that has these Secrets, a Workspace (one with this pod unless given), and these StorageClasses."""

    def __init__(
        self,
        secrets: dict[str, Object],
        pod: Object | None = None,
        classes: tuple[Object, ...] = (),
        workspace: Object | None = None,
    ) -> None:
        self._secrets, self._classes = secrets, classes
        self._workspace = workspace or {"metadata": {"uid": "u"}, "inference": {"template": {"spec": pod}}}

    async def get(self, kind: str, name: str, namespace: str) -> Object | None:
        assert namespace == "default"
        if kind == "Secret":
            return self._secrets.get(name)
        return self._workspace

    async def list_all(self, kind: str) -> tuple[list[Object], str]:
        assert kind == "StorageClass"
        return list(self._classes), "1"


a_template = partial(a_plan, KEY, kind="template", model="")


async def checked(cluster: Objects, plan: Plan, *hosts: str) -> dict[str, Check]:
    reads: Any = cluster
    preflight = WorkloadPreflight(reads, {WITH_ADAPTERS: ()}, Registries(hosts))
    return {check.name: check for check in (await preflight.read_workload_preflight(plan)).checks}


def put_image(host: str, path: str, tag: str) -> None:
    """An image of nothing but a configuration."""
    opened = httpx.post(f"http://{host}/v2/{path}/blobs/uploads/", timeout=PATIENCE_S)
    digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    place = httpx.URL(opened.headers["location"]).copy_merge_params({"digest": digest})
    httpx.put(place, content=CONFIG, timeout=PATIENCE_S)
    manifest = {
        "schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": [],
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": digest},
    }  # fmt: skip
    headers = {"Content-Type": str(manifest["mediaType"])}
    there = f"http://{host}/v2/{path}/manifests/{tag}"
    httpx.put(there, json=manifest, headers=headers, timeout=PATIENCE_S).raise_for_status()


def uploads(folder: Path) -> list[Path]:
    """Those under way; of one that was cancelled the registry keeps an empty folder."""
    return list(folder.glob("*0/state/registry/blobs/**/_uploads/*/startedat"))


async def test_an_image_that_is_there_passes_and_one_that_is_not_is_named(open_registry: str) -> None:
    put_image(open_registry, "team/server", "1")
    there, missing = f"{open_registry}/team/server:1", f"{open_registry}/team/server:2"
    pod = {"containers": [{"image": there}], "initContainers": [{"image": missing}]}
    found = await checked(Objects({}, {"containers": [{"image": there}]}), a_template(), open_registry)
    assert found["ImagesPullable"].outcome == "passed"
    found = await checked(Objects({}, pod), a_template(), open_registry)
    assert (found["ImagesPullable"].outcome, found["ImagesPullable"].reason) == ("failed", "ImagePullError")
    assert missing in found["ImagesPullable"].message and there not in found["ImagesPullable"].message


@pytest.mark.parametrize("kind", ["password_registry", "token_registry"])
async def test_without_a_secret_the_nodes_may_still_have_an_account(kind: str, request: pytest.FixtureRequest) -> None:
    hosts = request.getfixturevalue(kind)
    hosts = (hosts,) if isinstance(hosts, str) else hosts
    pod = {"containers": [{"image": f"{hosts[0]}/team/server:1"}]}
    found = await checked(Objects({}, pod), a_template(), *hosts)
    assert found["ImagesPullable"].outcome == "unknown"
    assert "requires credentials" in found["ImagesPullable"].message


async def test_a_pull_secret_is_used_and_a_wrong_one_is_told(password_registry: str) -> None:
    pod = {"containers": [{"image": f"{password_registry}/team/s:1"}], "imagePullSecrets": [{"name": "s"}]}
    right, wrong = secret_for(password_registry), secret_for(password_registry, password="wrong")
    found = await checked(Objects({"s": right}, pod), a_template(), password_registry)
    assert "has no such image" in found["ImagesPullable"].message, "the account was taken: only the image is missing"
    found = await checked(Objects({"s": wrong}, pod), a_template(), password_registry)
    assert "refused the account of the pull secret (HTTP 401)" in found["ImagesPullable"].message
    found = await checked(Objects({}, pod), a_template(), password_registry)
    assert found["ImagesPullable"].outcome == "unknown", "the kubelet goes on without a Secret that is not there"


async def test_the_kubelet_takes_both_forms_of_a_secret_and_no_identity_token(password_registry: str) -> None:
    pod = {"containers": [{"image": f"{password_registry}/team/s:1"}], "imagePullSecrets": [{"name": "s"}]}
    document = json.loads(b64decode(secret_for(password_registry)["data"][".dockerconfigjson"]))["auths"]
    data = {".dockercfg": b64encode(json.dumps(document).encode()).decode()}
    older = {"type": "kubernetes.io/dockercfg", "data": data}
    found = await checked(Objects({"s": older}, pod), a_template(), password_registry)
    assert "has no such image" in found["ImagesPullable"].message
    login = {"auths": {password_registry: {"identitytoken": "refresh"}}}
    data = {".dockerconfigjson": b64encode(json.dumps(login).encode()).decode()}
    secret = {"type": "kubernetes.io/dockerconfigjson", "data": data}
    found = await checked(Objects({"s": secret}, pod), a_template(), password_registry)
    assert found["ImagesPullable"].outcome == "unknown"
    assert "identity token, which the kubelet does not use" in found["ImagesPullable"].message
    plan = a_template(output_image=f"{password_registry}/team/adapter:1", output_secret="push")
    found = await checked(Objects({"push": older}, {}), plan, password_registry)
    assert found["OutputWritable"].reason == "PushForbidden", "pods mount only .dockerconfigjson"


@pytest.mark.parametrize("kind", ["password_registry", "token_registry"])
async def test_who_may_push_passes_and_leaves_no_upload(
    kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    hosts = request.getfixturevalue(kind)
    hosts = (hosts,) if isinstance(hosts, str) else hosts
    plan = a_template(output_image=f"{hosts[0]}/team/adapter:1", output_secret="push")
    found = await checked(Objects({"push": secret_for(hosts[0])}, {}), plan, *hosts)
    assert found["OutputWritable"] == Check(name="OutputWritable", outcome="passed")
    assert uploads(tmp_path_factory.getbasetemp()) == []


async def test_who_may_only_pull_is_refused_before_hours_of_training(token_registry: tuple[str, str]) -> None:
    host = token_registry[0]
    plan = a_template(output_image=f"{host}/team/adapter:1", output_secret="push")
    found = await checked(Objects({"push": secret_for(host, READER)}, {}), plan, *token_registry)
    output = found["OutputWritable"]
    assert (output.outcome, output.reason) == ("failed", "PushForbidden")
    assert "the account of Secret push" in output.message
    assert not any(word in output.message for word in (READER, "sesame"))


async def test_a_wrong_password_a_missing_secret_and_one_for_another_registry_are_told_apart(
    password_registry: str,
) -> None:
    plan = a_template(output_image=f"{password_registry}/team/adapter:1", output_secret="push")
    secrets = {
        "missing": {},
        "wrong": {"push": secret_for(password_registry, password="wrong")},
        "other": {"push": secret_for("registry.example.com")},
        "none": {"push": {"data": {"token": ""}}},
    }
    found = {
        name: (await checked(Objects(there, {}), plan, password_registry))["OutputWritable"]
        for name, there in secrets.items()
    }
    assert {name: check.reason for name, check in found.items()} == {
        "missing": "SecretNotFound", "wrong": "PushForbidden", "other": "PushForbidden", "none": "PushForbidden",
    }  # fmt: skip
    assert "anonymous users" in found["other"].message
    assert "the Secret push has no .dockerconfigjson" in found["none"].message


async def test_a_registry_that_cannot_be_reached_warns_and_stops_nothing() -> None:
    pod = {"containers": [{"image": "127.0.0.1:9/team/server:1"}]}
    plan = a_template(output_image="127.0.0.1:9/team/adapter:1")
    found = await checked(Objects({}, pod), plan, "127.0.0.1:9")
    assert {found[name].outcome for name in ("ImagesPullable", "OutputWritable")} == {"unknown"}
    assert "cannot be reached" in found["ImagesPullable"].message


@pytest.mark.parametrize("host", ["169.254.169.254", "127.0.0.1:443", "localhost:5000", "[::1]:5000"])
async def test_what_a_user_writes_leads_to_no_address_of_our_own(host: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(RegistryUnreachable, match="gave no usable answer at an address that is allowed"):
        await Registries().manifest(ImageReference.parse(f"{host}/team/server:1"))
    assert re.search("no request was sent|cannot be reached", caplog.text)


async def test_a_token_server_without_tls_gets_no_password(token_registry: tuple[str, str]) -> None:
    with pytest.raises(RegistryUnreachable, match="has no TLS"):
        await Registries(token_registry[:1]).push(ImageReference.parse(f"{token_registry[0]}/team/adapter:1"))


async def test_a_storage_class_is_looked_for_where_a_volume_needs_one() -> None:
    pod = {
        "volumes": [
            {"name": "a", "ephemeral": {"volumeClaimTemplate": {"spec": {"storageClassName": "fast"}}}},
            {"name": "b", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}},
        ]
    }
    default = {"metadata": {"name": "slow", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}
    found = await checked(Objects({}, pod, (default,)), a_template())
    assert found["StorageClass"].reason == "StorageClassMissing"
    assert found["StorageClass"].message == "StorageClass 'fast' does not exist. The cluster has: slow"
    found = await checked(Objects({}, pod, ({"metadata": {"name": "fast"}},)), a_template())
    assert "no StorageClass is the default" in found["StorageClass"].message
    assert "StorageClass" not in await checked(Objects({}, {"volumes": [{"emptyDir": {}}]}), a_template())


def with_adapters(*adapters: dict[str, Any]) -> Object:
    """A Workspace with these beside a preset."""
    return {"metadata": {"uid": "u"}, "inference": {"preset": {"name": "m"}, "adapters": list(adapters)}}


def an_adapter(name: str, image: str, *secrets: str) -> dict[str, Any]:
    return {"source": {"name": name, "image": image, "imagePullSecrets": list(secrets)}}


async def pull_of(host: str, secrets: dict[str, Object], *adapters: dict[str, Any]) -> Check:
    names = tuple(adapter["source"]["name"] for adapter in adapters)
    plan = a_template(adapters=names).model_copy(update={"kind": "preset"})
    found = await checked(Objects(secrets, workspace=with_adapters(*adapters)), plan, host)
    return found["ImagesPullable"]


async def test_an_adapters_image_is_asked_for_and_named(open_registry: str) -> None:
    put_image(open_registry, "team/facts", "1")
    there, missing = (an_adapter(name, f"{open_registry}/team/{name}:1") for name in ("facts", "tone"))
    assert (await pull_of(open_registry, {}, there)).outcome == "passed"
    check = await pull_of(open_registry, {}, there, missing)
    assert (check.outcome, check.reason) == ("failed", "AdapterNotFound")
    assert "adapter tone" in check.message and "adapter facts" not in check.message


async def test_an_adapters_secrets_are_the_only_accounts_there_are(password_registry: str) -> None:
    host = password_registry
    right, wrong = secret_for(host), secret_for(host, password="wrong")
    image = f"{host}/team/facts:1"
    check = await pull_of(host, {}, an_adapter("facts", image))
    assert (check.outcome, check.reason) == ("failed", "AdapterForbidden")
    assert "imagePullSecrets" in check.message
    check = await pull_of(host, {"s": wrong}, an_adapter("facts", image, "s"))
    assert check.reason == "AdapterForbidden" and "accounts of s" in check.message and "wrong" not in check.message
    check = await pull_of(host, {"s": wrong, "t": right}, an_adapter("facts", image, "s", "t"))
    assert check.reason == "AdapterNotFound", "the second account was taken: only the image is missing"
    check = await pull_of(host, {}, an_adapter("facts", image, "gone"))
    assert check.reason == "SecretNotFound" and "default/gone" in check.message


async def test_a_registry_that_is_away_stops_no_adapter() -> None:
    check = await pull_of("127.0.0.1:9", {}, an_adapter("facts", "127.0.0.1:9/team/facts:1"))
    assert check.outcome == "unknown"


async def test_what_the_pods_workload_identity_may_pull_is_left_to_the_pod(password_registry: str) -> None:
    identity = AzureIdentity(tenant_id="t", client_id="c", registry_suffixes=(password_registry.partition(":")[0],))
    written = with_adapters(an_adapter("facts", f"{password_registry}/team/facts:1"))
    plan = a_template(adapters=("facts",)).model_copy(update={"kind": "preset"})
    outcomes = {}
    for name, told in {
        "ours": identity,
        "another's": AzureIdentity(tenant_id="t", client_id="c"),
        "none": None,
    }.items():
        cluster: Any = Objects({}, workspace=written)
        registries = Registries((password_registry,))
        preflight = WorkloadPreflight(cluster, {WITH_ADAPTERS: ()}, registries, identity=told)
        checks = {check.name: check for check in (await preflight.read_workload_preflight(plan)).checks}
        outcomes[name] = (checks["ImagesPullable"].outcome, checks["ImagesPullable"].reason)
    refused = ("failed", "AdapterForbidden")
    assert outcomes == {"ours": ("unknown", ""), "another's": refused, "none": refused}


async def test_a_refused_secret_is_told_whatever_identity_there_is(password_registry: str) -> None:
    check = adapter_verdict("facts", f"{password_registry}/team/facts:1", [401], ["wrong"], by_identity=True)
    assert (check.outcome, check.reason) == ("failed", "AdapterForbidden")
