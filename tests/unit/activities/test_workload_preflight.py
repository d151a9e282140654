"""What is asked of cluster and registries before money is spent, and what their answers come to for a Workspace."""

import asyncio
import base64
import json
import socket
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.clients.host_names import ALWAYS, HostNames
from activities.clients.kubernetes import Object
from activities.clients.registry import Registries, RegistryUnreachable
from activities.contract.plan import Check, Plan
from activities.preflight.images import WITH_ADAPTERS
from activities.preflight.workload import WorkloadPreflight
from api.oci.docker_config import Account
from api.oci.image_reference import ImageReference
from tests.builders import a_plan
from tests.fakes.cluster import FakeCluster

OWN = {"preset": ("ours/serve:1", "ours/fetch:1"), "tuning": ("ours/tune:1",), WITH_ADAPTERS: ("ours/serve:1",)}
KEY = a_plan().key
HOST = "registry.example"


class Answering(Registries):
    """Answers 200 to pulls and 202 to pushes unless `statuses` says otherwise; `asked` has who asked for what."""

    def __init__(self, **statuses: int | Exception) -> None:
        super().__init__()
        self._statuses = statuses
        self.asked: list[tuple[str, str]] = []

    async def manifest(self, image: ImageReference, account: Account | None = None) -> int:
        return self._answer(image, account, 200)

    async def push(self, image: ImageReference, account: Account | None = None) -> int:
        return self._answer(image, account, 202)

    def _answer(self, image: ImageReference, account: Account | None, good: int) -> int:
        name = image.repository.rpartition("/")[2]
        user = account.user if account else ""
        self.asked.append((name, user))
        found = self._statuses.get(user, self._statuses.get(name, good))
        if isinstance(found, Exception):
            raise found
        return found


def a_secret(name: str, user: str) -> Object:
    document = {"auths": {HOST: {"username": user, "password": "sesame"}}}
    data = {".dockerconfigjson": base64.b64encode(json.dumps(document).encode()).decode()}
    metadata = {"name": name, "namespace": KEY.namespace}
    return {"metadata": metadata, "type": "kubernetes.io/dockerconfigjson", "data": data}


def a_workspace(**inference: Any) -> Object:
    return {"metadata": {"name": KEY.name, "namespace": KEY.namespace, "uid": KEY.uid}, "inference": inference}


def dns(*known: str) -> HostNames:
    """A resolver that knows these names, and no other."""

    async def resolve(host: str, port: int) -> list[str]:
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return ["10.0.0.1"]

    return HostNames(resolve=resolve)


async def checks(
    plan: Plan, registries: Registries, cluster: FakeCluster | None = None, names: HostNames | None = None
) -> dict[str, Check]:
    preflight = WorkloadPreflight(cluster or FakeCluster(), OWN, registries, names=names or dns())
    return {check.name: check for check in (await preflight.read_workload_preflight(plan)).checks}


async def test_our_own_images_are_checked_once_for_many_workspaces() -> None:
    registries = Answering()
    preflight = WorkloadPreflight(FakeCluster(), OWN, registries)
    found = await asyncio.gather(*(preflight.read_workload_preflight(a_plan()) for _ in range(5)))
    assert {check.outcome for one in found for check in one.checks} == {"passed"}
    assert sorted(registries.asked) == [("fetch", ""), ("serve", "")]


async def test_a_templates_images_are_checked_with_its_existing_secrets() -> None:
    containers = [{"image": f"{HOST}/a:1"}, {"image": f"{HOST}/b:1"}, {"image": f"{HOST}/a:1"}]
    pod = {"containers": containers, "imagePullSecrets": [{"name": "missing"}, {"name": "mine"}]}
    cluster = FakeCluster(Workspace=a_workspace(template={"spec": pod}), Secret=a_secret("mine", "ann"))
    registries = Answering(b=404)
    found = await checks(a_plan(kind="template"), registries, cluster)
    assert sorted(registries.asked) == [("a", "ann"), ("b", "ann")]
    assert (found["ImagesPullable"].outcome, found["ImagesPullable"].reason) == ("failed", "ImagePullError")
    assert f"{HOST}/b:1" in found["ImagesPullable"].message and f"{HOST}/a:1" not in found["ImagesPullable"].message


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        pytest.param({"ann": 401}, "passed", id="the other one may"),
        pytest.param({"ann": 401, "bob": 403}, "failed", id="none may"),
        pytest.param({"ann": 401, "bob": 500}, "unknown", id="the other one might"),
    ],
)
async def test_a_pull_is_tried_with_every_secret_as_the_kubelet_does(statuses: dict[str, int], outcome: str) -> None:
    pod = {"containers": [{"image": f"{HOST}/a:1"}], "imagePullSecrets": [{"name": "one"}, {"name": "two"}]}
    secrets = [a_secret("one", "ann"), a_secret("two", "bob")]
    cluster = FakeCluster(Workspace=a_workspace(template={"spec": pod}), Secret=secrets)
    found = await checks(a_plan(kind="template"), Answering(**statuses), cluster)
    assert found["ImagesPullable"].outcome == outcome


async def test_a_secret_of_another_type_is_no_account_for_the_kubelet() -> None:
    pod = {"containers": [{"image": f"{HOST}/a:1"}], "imagePullSecrets": [{"name": "one"}]}
    secret = a_secret("one", "ann") | {"type": "Opaque"}
    cluster = FakeCluster(Workspace=a_workspace(template={"spec": pod}), Secret=[secret])
    found = (await checks(a_plan(kind="template"), Answering(), cluster))["ImagesPullable"]
    assert found.outcome == "unknown" and "the Secret one is of type Opaque" in found.message


async def test_a_successor_of_the_workspace_is_not_checked() -> None:
    other = a_workspace(template={"spec": {}})
    other["metadata"]["uid"] = "another"
    with pytest.raises(ApplicationError) as error:
        await checks(a_plan(kind="template"), Answering(), FakeCluster(Workspace=other))
    assert error.value.type == "WorkspaceGone"


async def test_an_unreachable_registry_leaves_the_check_unknown() -> None:
    silent = RegistryUnreachable("no answer")
    plan = a_plan(kind="tuning", output_image=f"{HOST}/out:1")
    found = await checks(plan, Answering(tune=silent, out=silent))
    assert {found[name].outcome for name in ("ImagesPullable", "OutputWritable")} == {"unknown"}


WORKING = dns(ALWAYS[0], "data.example")


async def test_a_registry_that_does_not_exist_is_a_no_before_anything_is_bought() -> None:
    """Not after the training, when the push would be tried for a day."""
    silent = RegistryUnreachable("no answer")
    plan = a_plan(kind="tuning", output_image=f"{HOST}/out:1")
    found = (await checks(plan, Answering(out=silent), names=WORKING))["OutputWritable"]
    assert (found.outcome, found.reason) == ("failed", "HostNotFound")
    assert HOST in found.message and "Correct the name" in found.message


async def test_the_same_for_an_adapter_and_for_an_image_of_the_users() -> None:
    silent = RegistryUnreachable("no answer")
    adapters = a_workspace(adapters=[{"source": {"name": "tone", "image": f"{HOST}/tone:1"}}])
    plan = a_plan(adapters=("tone",))
    found = (await checks(plan, Answering(tone=silent), FakeCluster(Workspace=adapters), WORKING))["ImagesPullable"]
    assert (found.outcome, found.reason) == ("failed", "HostNotFound")
    template = a_workspace(template={"spec": {"containers": [{"image": f"{HOST}/a:1"}]}})
    plan = a_plan(kind="template")
    found = (await checks(plan, Answering(a=silent), FakeCluster(Workspace=template), WORKING))["ImagesPullable"]
    assert (found.outcome, found.reason) == ("failed", "HostNotFound")


async def test_images_that_nodes_may_have_a_mirror_for_are_left_open() -> None:
    """In a closed network, neither the name of a public registry nor that of our own images need exist."""
    silent = RegistryUnreachable("no answer")
    for image in ("vllm/vllm-openai:1", "ghcr.io/team/vllm-openai:1"):
        template = a_workspace(template={"spec": {"containers": [{"image": image}]}})
        registries = Answering(**{"vllm-openai": silent})
        found = await checks(a_plan(kind="template"), registries, FakeCluster(Workspace=template), WORKING)
        assert found["ImagesPullable"].outcome == "unknown"
    assert (await checks(a_plan(), Answering(serve=silent), names=WORKING))["ImagesPullable"].outcome == "unknown"


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ({"urls": ["https://data.example/a.csv", "https://typo.example:8443/b.csv?sig=s"]}, "typo.example"),
        ({"image": "typo.example:5000/team/data:1"}, "typo.example"),
        ({"urls": ["https://data.example/a.csv"]}, ""),
        ({"volumeSource": {}}, ""),
    ],
)
async def test_data_from_a_host_that_does_not_exist_is_a_no(source: Any, missing: str) -> None:
    written = a_workspace() | {"tuning": {"input": source}}
    plan = a_plan(kind="tuning")
    found = (await checks(plan, Answering(), FakeCluster(Workspace=written), WORKING))["DataHosts"]
    assert (found.outcome, found.reason) == (("failed", "HostNotFound") if missing else ("passed", ""))
    assert missing in found.message and "sig=" not in found.message
    in_trouble = (await checks(plan, Answering(), FakeCluster(Workspace=written), dns()))["DataHosts"]
    assert in_trouble.outcome == "passed", "a resolver that knows no name proves nothing"


ADAPTERS = [
    {"source": {"name": "tone", "image": f"{HOST}/tone:1", "imagePullSecrets": ["one", "two"]}},
    {"source": {"name": "away", "image": f"{HOST}/away:1"}},
    {"source": {"name": "disk", "volumeSource": {"persistentVolumeClaim": {"claimName": "mine"}}}},
]


async def test_an_adapter_is_checked_with_each_of_its_secrets_in_order() -> None:
    secrets = [a_secret("one", "ann"), a_secret("two", "bob")]
    cluster = FakeCluster(Workspace=a_workspace(adapters=ADAPTERS), Secret=secrets)
    registries = Answering()
    found = await checks(a_plan(adapters=("tone", "disk")), registries, cluster)
    assert found["ImagesPullable"].outcome == "passed"
    assert [asked for asked in registries.asked if asked[0] != "serve"] == [("tone", "ann"), ("tone", "bob")]


@pytest.mark.parametrize(
    ("status", "secrets", "reason"),
    [
        pytest.param(200, [], "SecretNotFound", id="its Secret is missing"),
        pytest.param(404, ["one", "two"], "AdapterNotFound", id="no such image"),
        pytest.param(403, ["one", "two"], "AdapterForbidden", id="refused"),
    ],
)
async def test_an_adapter_that_the_pod_cannot_pull_fails(status: int, secrets: list[str], reason: str) -> None:
    there: list[Object] = [a_secret(name, name) for name in secrets]
    cluster = FakeCluster(Workspace=a_workspace(adapters=ADAPTERS), Secret=there)
    found = (await checks(a_plan(adapters=("tone",)), Answering(tone=status), cluster))["ImagesPullable"]
    assert (found.outcome, found.reason) == ("failed", reason)
    assert "adapter tone" in found.message


@pytest.mark.parametrize(
    ("status", "there", "reason"),
    [
        (202, [], "SecretNotFound"),
        (403, [a_secret("push", "ann")], "PushForbidden"),
        (202, [a_secret("push", "ann")], ""),
    ],
)
async def test_the_output_is_checked_with_the_secret_of_the_output(
    status: int, there: list[Object], reason: str
) -> None:
    plan = a_plan(kind="tuning", output_image=f"{HOST}/out:1", output_secret="push")
    registries = Answering(out=status)
    found = (await checks(plan, registries, FakeCluster(Secret=there)))["OutputWritable"]
    assert (found.outcome, found.reason) == ("failed" if reason else "passed", reason)
    assert ("out", "ann") in registries.asked or reason == "SecretNotFound"


async def test_a_training_needs_a_storage_class_and_a_preset_does_not() -> None:
    default = {"metadata": {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}
    training = a_plan(kind="tuning", volume_gib=10)
    without = (await checks(training, Answering()))["StorageClass"]
    assert (without.outcome, without.reason) == ("failed", "StorageClassMissing")
    assert (await checks(training, Answering(), FakeCluster(StorageClass=default)))["StorageClass"].outcome == "passed"
    assert "StorageClass" not in await checks(a_plan(), Answering())
