"""What adapters add to a model's pod."""

import json
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from activities.contract.plan import Plan
from activities.manifests import adapters
from activities.manifests.serving import workload_objects
from api.pods.adapters import AdaptersConfig
from api.pods.registries import AzureIdentity, RegistryAccess
from api.pods.serve import ServeConfig
from api.resource.model import AdapterSpec
from testing.pods import inputs
from testing.pods.inputs import PINNED
from tests.builders import a_key, a_plan

KEY = a_key("uid-1", namespace="team")
IMAGES = replace(inputs.IMAGES, registry=RegistryAccess(plain_http=("registry:5000",)))
LONG = "a" * 63
WRITTEN: list[dict[str, Any]] = [
    {"source": {"name": "facts", "image": "registry:5000/facts:1", "imagePullSecrets": ["one", "two"]}},
    {"source": {"name": "tone", "image": "registry:5000/tone:1", "imagePullSecrets": ["one"]}, "strength": "0.5"},
    {"source": {"name": LONG, "volumeSource": {"persistentVolumeClaim": {"claimName": "mine"}}}},
]


def with_adapters(*names: str) -> Plan:
    return a_plan(KEY, model="org/m", served_model_name="m", adapters=names, digest="d1")


def objects(*names: str) -> dict[str, Any]:
    plan = with_adapters(*names)
    specs = adapters.planned(plan, {"inference": {"adapters": WRITTEN}})
    return dict(workload_objects(plan, PINNED, {}, None, IMAGES, specs))


def pod(*names: str) -> dict[str, Any]:
    found: dict[str, Any] = objects(*names)["Deployment"]["spec"]["template"]["spec"]
    return found


def mounted(container: dict[str, Any]) -> dict[str, bool]:
    return {mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}


def test_without_adapters_nothing_is_added() -> None:
    assert [container["name"] for container in pod()["containers"]] == ["fetch", "serve"]
    assert set(objects()["ConfigMap"]["data"]) == {"serve.json"}
    assert {volume["name"] for volume in pod()["volumes"]} == {"weights", "config", "shm", "tmp-fetch", "tmp-serve"}


def test_adapters_are_pulled_while_weights_are_downloaded() -> None:
    found = pod("facts", "tone", LONG)
    assert [container["name"] for container in found["containers"]] == ["fetch", "adapters", "serve"]
    assert found["containers"][1]["image"] == "data:1"
    assert "initContainers" not in found


def test_serve_gets_the_path_of_each_adapter() -> None:
    config = ServeConfig.model_validate_json(objects("facts", "tone", LONG)["ConfigMap"]["data"]["serve.json"])
    assert [(adapter.name, adapter.path) for adapter in config.adapters] == [
        ("facts", "/adapters/facts"), ("tone", "/adapters/tone"), (LONG, f"/adapters/{LONG}"),
    ]  # fmt: skip


def test_the_adapters_container_gets_images_strengths_and_secrets_by_file() -> None:
    config = AdaptersConfig.model_validate_json(objects("facts", "tone", LONG)["ConfigMap"]["data"]["adapters.json"])
    assert [(source.name, source.image, source.strength) for source in config.adapters] == [
        ("facts", "registry:5000/facts:1", 1.0), ("tone", "registry:5000/tone:1", 0.5), (LONG, None, 1.0),
    ]  # fmt: skip
    assert config.registry.docker_configs == {"one": "/pull-secrets/one.json", "two": "/pull-secrets/two.json"}
    assert config.registry.plain_http == ("registry:5000",)


def test_only_the_adapters_container_mounts_secrets_and_user_volumes_read_only() -> None:
    fetch, bringer, serve = pod("facts", "tone", LONG)["containers"]
    assert mounted(bringer) == {
        "/etc/modelyard": True, "/adapters": False, "/pull-secrets": True, f"/mnt/adapter/{LONG}": True, "/tmp": False,
    }  # fmt: skip
    assert mounted(serve)["/adapters"] is True
    for other in (fetch, serve):
        assert not [path for path in mounted(other) if path.startswith(("/pull-secrets", "/mnt"))]
    assert "env" not in bringer and "one" not in json.dumps(bringer["command"])


def test_a_missing_secret_does_not_block_the_pod_silently() -> None:
    (volume,) = [volume for volume in pod("facts", "tone")["volumes"] if volume["name"] == "pull-secrets"]
    sources = [source["secret"] for source in volume["projected"]["sources"]]
    assert [(source["name"], source["optional"]) for source in sources] == [("one", True), ("two", True)]
    assert sources[0]["items"] == [{"key": ".dockerconfigjson", "path": "one.json"}]


def test_only_the_adapters_container_has_the_workload_identity_and_needs_no_secret() -> None:
    identity = AzureIdentity(tenant_id="t", client_id="c")
    images = replace(IMAGES, registry=IMAGES.registry.model_copy(update={"azure": identity}))
    specs = [AdapterSpec.model_validate({"source": {"name": "facts", "image": "team.azurecr.io/facts:1"}})]
    made = dict(workload_objects(with_adapters("facts"), PINNED, {}, None, images, specs))
    found = made["Deployment"]["spec"]["template"]["spec"]
    fetch, bringer, serve = found["containers"]
    folder = str(PurePosixPath(identity.token_file).parent)
    assert mounted(bringer)[folder] is True
    assert folder not in mounted(fetch) | mounted(serve)
    (volume,) = [volume for volume in found["volumes"] if volume["name"] == "identity"]
    (source,) = volume["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == "api://AzureADTokenExchange"
    assert AdaptersConfig.model_validate_json(made["ConfigMap"]["data"]["adapters.json"]).registry.azure == identity


def test_without_adapters_no_pod_gets_the_identity() -> None:
    images = replace(IMAGES, registry=RegistryAccess(azure=AzureIdentity(tenant_id="t", client_id="c")))
    made = dict(workload_objects(with_adapters(), PINNED, {}, None, images, []))
    assert "identity" not in json.dumps(made["Deployment"])


def test_volumes_have_names_that_kubernetes_takes_and_every_mount_has_its_volume() -> None:
    found = pod("facts", "tone", LONG)
    names = {volume["name"] for volume in found["volumes"]}
    assert all(len(name) <= 63 for name in names)
    used = {mount["name"] for container in found["containers"] for mount in container["volumeMounts"]}
    assert used == names
    (theirs,) = [volume for volume in found["volumes"] if "persistentVolumeClaim" in volume]
    assert theirs["persistentVolumeClaim"] == {"claimName": "mine"}


def test_an_adapter_of_a_newer_edit_is_left_to_its_own_plan() -> None:
    config = ServeConfig.model_validate_json(objects("tone")["ConfigMap"]["data"]["serve.json"])
    assert [adapter.name for adapter in config.adapters] == ["tone"]


@pytest.mark.parametrize(("strength", "number"), [(None, 1.0), ("", 1.0), ("0", 0.0), ("0.25", 0.25), ("1", 1.0)])
def test_a_strength_is_a_number(strength: str | None, number: float) -> None:
    spec = AdapterSpec.model_validate({"source": {"name": "a", "image": "i"}, "strength": strength})
    config = adapters.config([spec], PINNED, RegistryAccess())
    assert config.adapters[0].strength == number
