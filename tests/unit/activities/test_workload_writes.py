"""What is written of a workload: without a look where nothing is, and never to another owner's object."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.clients.kubernetes import Object
from activities.clients.ownership import made_as_applied
from activities.clients.view.cluster_view import ClusterView
from activities.contract.serving import WorkloadApplied, WorkloadRequest
from activities.serving.removal import owned_names
from activities.serving.workloads import Workloads
from api import labels
from testing.deadlines import PATIENCE_S
from testing.pods.inputs import IMAGES, NO_CONTROLLER, PINNED
from tests.builders import a_key, a_plan
from tests.fakes.cluster import FakeCluster
from tests.integration.nodes.attempts import Attempt

KEY = a_key()
NAMES = dict(owned_names(KEY))
KINDS = ("ConfigMap", "Deployment", "Service")


def foreign(kind: str) -> Object:
    return {"metadata": {"name": NAMES[kind], "namespace": KEY.namespace, "uid": "another"}, "data": {"of": "others"}}


async def ensured(cluster: FakeCluster, **plan: Any) -> WorkloadApplied:
    wanted = a_plan(KEY, **({"digest": "digest-1", "vllm_options": {}} | plan))
    cluster.calls.clear()
    body = Workloads(ClusterView(cluster), IMAGES, first_pods=NO_CONTROLLER).ensure_workload
    attempt = Attempt(body, WorkloadRequest(plan=wanted, pinned=PINNED))
    made: WorkloadApplied = await asyncio.wait_for(attempt.task, PATIENCE_S)
    return made


async def refusal(cluster: FakeCluster, **plan: Any) -> ApplicationError:
    with pytest.raises(ApplicationError) as error:
        await ensured(cluster, **plan)
    return error.value


def calls(*verbs: str) -> Counter[tuple[str, str]]:
    return Counter({(verb, kind): 1 for verb in verbs for kind in KINDS})


async def test_a_first_workload_is_created_without_a_look() -> None:
    cluster = FakeCluster()
    assert (await ensured(cluster)).digest == "digest-1"
    assert cluster.calls == calls("create")
    assert all(cluster.names(kind) == [NAMES[kind]] for kind in KINDS)


async def test_what_another_attempt_has_created_is_looked_at_and_left_alone() -> None:
    cluster = FakeCluster()
    await ensured(cluster)
    await ensured(cluster)
    assert cluster.calls == calls("create", "get")


async def test_an_edit_is_applied_to_the_object_that_was_read() -> None:
    cluster = FakeCluster()
    await ensured(cluster)
    await ensured(cluster, generation=2, digest="digest-2")
    assert cluster.calls == calls("get", "apply")
    await ensured(cluster, generation=2, digest="digest-2")
    assert cluster.calls == calls("get")


async def test_pods_of_another_release_go_on_until_an_edit() -> None:
    cluster = FakeCluster()
    await ensured(cluster)
    deployment = await cluster.get("Deployment", NAMES["Deployment"], KEY.namespace)
    assert deployment is not None
    deployment["spec"]["template"]["spec"]["securityContext"] = {"runAsUser": 0}
    await cluster.put("Deployment", deployment)
    await ensured(cluster)
    assert cluster.calls == calls("create", "get")
    await ensured(cluster, generation=2, digest="digest-2")
    assert cluster.calls["apply", "Deployment"] == 1


async def test_what_is_missing_is_made_again_by_an_edit() -> None:
    cluster = FakeCluster()
    await ensured(cluster, generation=2)
    assert cluster.calls == calls("get", "create")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("generation", [1, 2])
async def test_another_owners_object_is_never_taken_over(kind: str, generation: int) -> None:
    cluster = FakeCluster(**{kind: foreign(kind)})
    error = await refusal(cluster, generation=generation)
    assert error.type == "OwnershipConflict" and error.non_retryable
    there = await cluster.get(kind, NAMES[kind], KEY.namespace)
    assert there is not None and there["metadata"].get("ownerReferences") is None and there["data"] == {"of": "others"}
    assert not cluster.calls["apply", kind]


@pytest.mark.parametrize("generation", [1, 2])
async def test_what_is_being_deleted_is_waited_for(generation: int) -> None:
    cluster = FakeCluster()
    await ensured(cluster)
    there = await cluster.get("Deployment", NAMES["Deployment"], KEY.namespace)
    assert there is not None
    await cluster.put("Deployment", there | {"metadata": there["metadata"] | {"deletionTimestamp": "2026-01-01"}})
    error = await refusal(cluster, generation=generation)
    assert error.type == "ApiServerUnavailable" and not error.non_retryable and "being deleted" in error.message
    await cluster.delete("Deployment", NAMES["Deployment"], KEY.namespace)
    await ensured(cluster, generation=generation)
    assert cluster.names("Deployment") == [NAMES["Deployment"]]


def entry(manager: str, operation: str, subresource: str = "") -> Object:
    return {"manager": manager, "operation": operation} | ({"subresource": subresource} if subresource else {})


@pytest.mark.parametrize(
    ("entries", "place"),
    [
        pytest.param([entry(labels.FIELD_MANAGER, "Update")], 0, id="created by us"),
        pytest.param([entry("controller", "Update", "status"), entry(labels.FIELD_MANAGER, "Update")], 1, id="second"),
        pytest.param([entry(labels.FIELD_MANAGER, "Apply")], None, id="applied by us"),
        pytest.param([entry("kubectl", "Update")], None, id="edited by somebody"),
        pytest.param([entry(labels.FIELD_MANAGER, "Update", "status")], None, id="a status of ours"),
        pytest.param([], None, id="nothing recorded"),
    ],
)
def test_our_create_is_recorded_as_an_apply_before_the_first_apply(entries: list[Object], place: int | None) -> None:
    operations = made_as_applied({"uid": "u", "managedFields": entries})
    assert [operation["path"] for operation in operations if operation["op"] == "replace"] == (
        [] if place is None else [f"/metadata/managedFields/{place}/operation"]
    )
