"""Every pod that is made for a Workspace is one that a namespace with Pod Security `restricted` admits, and is bounded.

`tests/integration/api/test_restricted_namespaces.py` asks a real API server about the same pods.
"""

import copy
import json
import re
from typing import Any, Final

import pytest

from activities.manifests.bounds import memory_gib
from activities.manifests.pods import USER
from deploy.local.images.build import CONTAINERFILE
from deploy.local.images.contents import IMAGES
from testing.pods.restricted import violations
from testing.pods.shapes import shapes
from tests.builders import a_plan

SHAPES: Final = shapes()
EACH: Final = [pytest.param(pod, id=name) for name, pod in SHAPES.items()]
UNIT: Final = {"Mi": 2**20, "Gi": 2**30}


def number(quantity: str) -> int:
    found = re.fullmatch(r"(\d+)(Mi|Gi)", quantity)
    assert found, quantity
    return int(found[1]) * UNIT[found[2]]


@pytest.mark.parametrize("pod", EACH)
def test_a_pod_has_no_right_that_restricted_refuses(pod: dict[str, Any]) -> None:
    assert violations(pod) == []
    assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False


@pytest.mark.parametrize("pod", EACH)
def test_code_in_a_pod_can_write_to_its_volumes_only(pod: dict[str, Any]) -> None:
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for container in pod["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
        assert number(volumes[mounts["/tmp"]["name"]]["emptyDir"]["sizeLimit"]) <= 8 * UNIT["Gi"]
        writable = [volumes[mount["name"]] for mount in mounts.values() if not mount.get("readOnly")]
        assert all({"emptyDir", "persistentVolumeClaim"} & set(volume) for volume in writable)
    assert sorted(volumes) == sorted({mount["name"] for one in pod["containers"] for mount in one["volumeMounts"]})
    assert len(volumes) == len(pod["volumes"])


@pytest.mark.parametrize("pod", EACH)
def test_no_tmp_is_shared_by_two_containers(pod: dict[str, Any]) -> None:
    tmp = [mount["name"] for one in pod["containers"] for mount in one["volumeMounts"] if mount["mountPath"] == "/tmp"]
    assert len(set(tmp)) == len(tmp) == len(pod["containers"])


@pytest.mark.parametrize("pod", [each for each in EACH if each.id != "own nodes of unknown size"])
def test_a_bomb_in_a_container_has_a_limit_of_memory_and_disk(pod: dict[str, Any]) -> None:
    for container in pod["containers"]:
        asked, most = container["resources"]["requests"], container["resources"]["limits"]
        assert number(asked["memory"]) <= number(most["memory"])
        # Without a request it would be the limit.
        assert number(asked["ephemeral-storage"]) <= number(most["ephemeral-storage"])
        assert asked["cpu"] and "cpu" not in most


@pytest.mark.parametrize("pod", EACH)
def test_what_a_pod_may_keep_in_its_volumes_fits_into_what_it_may_use_of_the_disk(pod: dict[str, Any]) -> None:
    """The kubelet evicts a pod whose emptyDirs are larger than its containers' limits together."""
    most = sum(number(one["resources"]["limits"]["ephemeral-storage"]) for one in pod["containers"])
    sizes = [volume["emptyDir"].get("sizeLimit") for volume in pod["volumes"] if "emptyDir" in volume]
    assert sum(number(size) for size in sizes if size) <= most


def test_jobs_on_shared_nodes_cannot_take_a_node_with_them() -> None:
    for name, pod in SHAPES.items():
        if name.startswith(("fetch ", "publish ")):
            assert number(pod["containers"][0]["resources"]["limits"]["memory"]) <= 4 * UNIT["Gi"], name


def test_what_computes_may_use_what_its_machine_has() -> None:
    assert memory_gib(a_plan()) == 220
    limits = {name: SHAPES[name]["containers"][-1]["resources"]["limits"] for name in ("preset", "several GPUs")}
    assert limits["preset"]["memory"] == "220Gi" and limits["several GPUs"]["memory"] == "1900Gi"
    assert SHAPES["own nodes"]["containers"][-1]["resources"]["limits"]["memory"] == "64Gi"


def test_a_machine_that_nobody_knows_sets_no_limit_that_would_kill() -> None:
    assert memory_gib(a_plan(instance_type="Standard_Gone_v9")) == 0
    assert "memory" not in SHAPES["own nodes of unknown size"]["containers"][-1]["resources"]["limits"]


def test_no_secret_of_a_pod_is_in_its_environment() -> None:
    for name, pod in SHAPES.items():
        for container in pod["containers"]:
            assert "secretKeyRef" not in json.dumps(container.get("env", [])), name
            assert "envFrom" not in container, name


def test_images_run_as_the_user_that_pods_name() -> None:
    stages = CONTAINERFILE.read_text().split("\nFROM ")
    for image in IMAGES:
        [stage] = [each for each in stages if each.partition("\n")[0].endswith(f" AS {image.target}")]
        assert re.findall(r"^USER (.*)$", stage, re.MULTILINE)[-1] == f"{USER}:{USER}"


def changed(where: str, value: Any) -> dict[str, Any]:
    """The pod of a preset with one field of another value; `where` may begin at its first container."""
    pod: dict[str, Any] = copy.deepcopy(SHAPES["preset"])
    place: Any = pod
    *steps, last = [int(step) if step.isdigit() else step for step in where.split(".")]
    for step in steps:
        place = place[step] if isinstance(step, int) else place.setdefault(step, {})
    place[last] = value
    return pod


BAD: Final = {
    "hostNetwork": True,
    "hostPID": True,
    "hostIPC": True,
    "volumes.0": {"name": "weights", "hostPath": {"path": "/"}},
    "securityContext.sysctls": [{"name": "kernel.msgmax", "value": "1"}],
    "securityContext.seLinuxOptions": {"type": "spc_t"},
    "securityContext.appArmorProfile": {"type": "Unconfined"},
    "securityContext.seccompProfile": {"type": "Unconfined"},
    "securityContext.runAsNonRoot": False,
    "securityContext.runAsUser": 0,
    "containers.0.securityContext.runAsNonRoot": False,
    "containers.0.securityContext.runAsUser": 0,
    "containers.0.securityContext.seccompProfile": {"type": "Unconfined"},
    "containers.0.securityContext.allowPrivilegeEscalation": None,
    "containers.0.securityContext.capabilities": {"drop": ["NET_RAW"]},
    "containers.0.securityContext.capabilities.add": ["SYS_ADMIN"],
    "containers.0.securityContext.procMount": "Unmasked",
    "containers.0.ports": [{"containerPort": 5002, "hostPort": 5002}],
    "containers.1.readinessProbe.httpGet.host": "169.254.169.254",
}
"""One violation of each control."""


@pytest.mark.parametrize("where", BAD)
def test_each_control_is_judged(where: str) -> None:
    assert violations(changed(where, BAD[where]))
