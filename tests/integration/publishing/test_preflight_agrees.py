"""What preflight says of a push is what the pod that pushes meets: both programs, one Secret, one registry."""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from activities.clients.kubernetes import Object
from activities.clients.registry import Registries
from activities.contract.payloads import WorkspaceKey
from activities.contract.plan import Plan
from activities.preflight.workload import WorkloadPreflight
from api.pods.publish import PublishConfig
from api.pods.registries import RegistryAccess
from runtime.pod.exit import Failure
from runtime.publish.__main__ import publish
from testing.oci.docker_configs import GOOD, IDENTITY, PASSWORD, USER, nine_secrets
from tests.integration.publishing.token_registry import Rules, TokenRegistry, token_registry

ELSEWHERE = ("docker.io", "index.docker.io", "another path")
"""Docker Hub's, which is not asked here; the same of a registry that is stands below."""


class Secrets:
    """A cluster that has one Secret."""

    def __init__(self, document: bytes) -> None:
        self._secret = {"data": {".dockerconfigjson": b64encode(document).decode()}}

    async def get(self, kind: str, name: str, namespace: str) -> Object:
        assert (kind, name, namespace) == ("Secret", "push", "default")
        return self._secret


async def preflight(server: TokenRegistry, document: bytes) -> str:
    """`passed`, or the reason of the failure."""
    plan = Plan(
        key=WorkspaceKey(namespace="default", name="w", uid="u"), generation=1, kind="preset",
        instance_type="Standard_NC24ads_A100_v4", node_count=1, gpus_per_node=1, pool_name="ws", os_disk_gib=100,
        output_image=f"{server.address}/team/a:1", output_secret="push",
    )  # fmt: skip
    registries = Registries((server.address,))
    checks = WorkloadPreflight(Secrets(document), {"preset": ()}, registries)  # type: ignore[arg-type]
    (check,) = [one for one in (await checks.read_workload_preflight(plan)).checks if one.name == "OutputWritable"]
    assert not any(word in check.message for word in (USER, PASSWORD, IDENTITY))
    return str(check.reason or check.outcome)


def pod(server: TokenRegistry, document: bytes, adapter: Path) -> str:
    file = adapter.parent / "dockerconfig.json"
    file.write_bytes(document)
    access = RegistryAccess(docker_configs={"push": str(file)}, plain_http=(server.address,))
    image = f"{server.address}/team/a:1"
    config = PublishConfig(folder=str(adapter), image=image, model_name="tiny", registry=access, port=0, attempts=1)
    try:
        publish(config)
    except Failure as failure:
        assert not any(word in failure.message for word in (PASSWORD, IDENTITY))
        return failure.kind.reason
    return "passed"


async def both(server: TokenRegistry, auths: Any, adapter: Path) -> tuple[str, str]:
    document = json.dumps({"auths": auths}).encode()
    said = await preflight(server, document)
    return said, pod(server, document, adapter)


def cases(host: str) -> dict[str, tuple[dict[str, Any], str]]:
    """The entries of each Secret, and what both say."""
    found = {
        name: (auths, "passed") for name, (_, auths, _) in nine_secrets(host).items() if name not in ELSEWHERE
    }  # fmt: skip
    return found | {
        "another path": ({f"{host}/other": GOOD}, "PushForbidden"),
        "no entry": ({}, "PushForbidden"),
        "wrong password": ({host: GOOD | {"password": "wrong"}}, "PushForbidden"),
        "wrong identity token": ({host: {"identitytoken": "wrong"}}, "PushForbidden"),
        "no password": ({host: {"username": USER}}, "PushForbidden"),
    }


@pytest.mark.parametrize("name", cases("host"))
async def test_what_preflight_says_of_a_secret_is_what_the_pod_meets(name: str, adapter: Path) -> None:
    with token_registry(Rules(password=f"{USER}:{PASSWORD}", refresh=IDENTITY)) as server:
        auths, expected = cases(server.address)[name]
        assert await both(server, auths, adapter) == (expected, expected)


@pytest.mark.parametrize("entry", [GOOD, {"identitytoken": IDENTITY}])
async def test_an_account_without_the_right_to_push_is_found_out_by_both(entry: dict[str, str], adapter: Path) -> None:
    with token_registry(Rules(password=f"{USER}:{PASSWORD}", refresh=IDENTITY, rights="admin")) as server:
        assert await both(server, {server.address: entry}, adapter) == ("PushForbidden", "PushForbidden")
