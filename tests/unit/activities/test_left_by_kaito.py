"""A Workspace that KAITO's controllers served until now: what they made is recognised, named, and left alone."""

from typing import Any

import pytest
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Object
from activities.preflight.kaito_workloads import left_by_kaito
from api import labels
from tests.builders import a_key, a_plan
from tests.fakes.cluster import FakeCluster

KEY = a_key()


def made(uid: str = KEY.uid, **annotations: str) -> Object:
    owner = {"kind": "Workspace", "name": KEY.name, "uid": uid, "controller": True}
    return {"metadata": {"name": KEY.name, "namespace": KEY.namespace, "annotations": annotations,
                         "ownerReferences": [owner]}}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "there"),
    [
        pytest.param("preset", {"StatefulSet": made()}, id="a preset"),
        pytest.param("preset", {"Deployment": made()}, id="a preset of an earlier release"),
        pytest.param("template", {"Deployment": made()}, id="a template"),
        pytest.param("tuning", {"Job": made()}, id="a training"),
    ],
)
async def test_what_kaito_left_stops_the_pass_before_anything_is_bought(kind: Any, there: dict[str, Object]) -> None:
    cluster = FakeCluster(**there)
    check = await left_by_kaito(cluster, a_plan(KEY, kind=kind))
    [(name, _)] = there.items()
    assert check is not None and (check.outcome, check.reason) == ("failed", "OwnershipConflict")
    assert f"kubectl delete {name.lower()} {KEY.name} -n {KEY.namespace}" in check.message
    assert cluster.names(name) == [KEY.name], "it goes on"


async def test_roles_of_an_earlier_release_stop_nothing() -> None:
    cluster = FakeCluster()
    cluster.fail_next("get", ApiException(status=403, reason="Forbidden"))
    assert await left_by_kaito(cluster, a_plan(KEY)) is None


@pytest.mark.parametrize(
    "there",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"Deployment": made(**{labels.CONFIG_HASH: "digest"})}, id="our own"),
        pytest.param({"StatefulSet": made(uid="another")}, id="somebody else's, who is told by the apply"),
    ],
)
async def test_nothing_else_stops_it(there: dict[str, Object]) -> None:
    assert await left_by_kaito(FakeCluster(**there), a_plan(KEY)) is None
