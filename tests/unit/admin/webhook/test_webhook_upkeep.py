"""Rounds of one and of several replicas: who makes what, what is served, and what the API server trusts meanwhile."""

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest
import yaml
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from admin.webhook.certificates.bundle import CertificateBundle, split_bundle
from admin.webhook.certificates.secret import CertificateStore, UnusableSecret, held_of
from admin.webhook.registration import Registration
from admin.webhook.rotation import CertRotator
from admin.webhook.settings import WebhookSettings
from deploy.local.services.webhook import WEBHOOKS
from tests.fakes.admission_cluster import AdmissionCluster

SECRET = "modelyard-webhook-certificates"


def applied() -> Object:
    return cast(Object, yaml.safe_load(WEBHOOKS.read_text()))


@pytest.fixture
def cluster() -> AdmissionCluster:
    return AdmissionCluster(applied())


class Replica:
    """One process' upkeep and what it serves."""

    def __init__(self, cluster: AdmissionCluster, **settings: Any) -> None:
        self.served: list[CertificateBundle] = []
        api = cast(Cluster, cluster)
        self.settings = WebhookSettings(**settings)
        store = CertificateStore(api, "modelyard-system", SECRET)
        self.upkeep = CertRotator(store, Registration(api, "modelyard"), self.settings, self.served.append)

    async def rounds(self, count: int) -> None:
        for _ in range(count):
            await self.upkeep.round()


def trusted(cluster: AdmissionCluster) -> list[frozenset[bytes]]:
    assert cluster.configuration is not None
    return [
        split_bundle(base64.b64decode(hook["clientConfig"].get("caBundle", "")))
        for hook in cluster.configuration["webhooks"]
    ]


def policies(cluster: AdmissionCluster) -> dict[str, str]:
    assert cluster.configuration is not None
    return {hook["name"].split(".")[0]: hook["failurePolicy"] for hook in cluster.configuration["webhooks"]}


def stored(cluster: AdmissionCluster) -> CertificateBundle:
    return held_of(cluster.secrets[SECRET]["data"])


async def test_one_round_makes_serves_and_registers(cluster: AdmissionCluster) -> None:
    replica = Replica(cluster)
    assert await replica.upkeep.round() is True
    assert replica.upkeep.registered
    assert replica.served == [stored(cluster)]
    assert trusted(cluster) == [frozenset({stored(cluster).newest})] * 2


async def test_nothing_is_written_where_nothing_is_due(cluster: AdmissionCluster) -> None:
    replica = Replica(cluster)
    await replica.rounds(3)
    patches, secret = cluster.patches, cluster.secrets[SECRET]
    await replica.rounds(3)
    assert (cluster.patches, cluster.secrets[SECRET]) == (patches, secret)
    assert len(replica.served) == 1


async def test_two_replicas_that_begin_at_once_agree(cluster: AdmissionCluster) -> None:
    one, other = Replica(cluster), Replica(cluster)
    cluster.before_write = other.upkeep.round  # between the one's reading and its writing
    assert await one.upkeep.round() is False
    assert await one.upkeep.round() is True
    assert one.served == other.served == [stored(cluster)]
    assert trusted(cluster) == [frozenset({stored(cluster).newest})] * 2


async def test_a_late_patch_keeps_what_another_replica_had_trusted(cluster: AdmissionCluster) -> None:
    one, other = Replica(cluster), Replica(cluster)
    await one.rounds(1)
    await other.rounds(1)
    assert cluster.configuration is not None
    cluster.configuration["webhooks"][0]["clientConfig"]["caBundle"] = ""

    async def rotate() -> None:
        del cluster.secrets[SECRET]
        await other.upkeep.round()

    cluster.before_write = rotate  # the one has read both by now, and patches what it has read
    assert await one.upkeep.round() is False
    assert trusted(cluster) == [frozenset(stored(cluster).authorities)] * 2
    assert len(stored(cluster).authorities) == 2


async def test_a_deleted_secret_rotates_the_authority_while_the_old_one_stays_trusted(
    cluster: AdmissionCluster,
) -> None:
    replica = Replica(cluster)
    await replica.rounds(1)
    before = stored(cluster)
    del cluster.secrets[SECRET]
    await replica.rounds(1)
    assert trusted(cluster) == [frozenset({before.newest, stored(cluster).newest})] * 2
    assert replica.served == [before]
    await replica.rounds(2)
    assert replica.served[-1] == stored(cluster)
    assert len(replica.served) == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.clear(),
        lambda data: data.update({"tls.key": "????"}),
        lambda data: data.update({"tls.key": data["ca.key"]}),
        lambda data: data.update({"ca.crt": base64.b64encode(b"no certificate").decode()}),
    ],
    ids=["empty", "not base64", "another key", "no certificate"],
)
async def test_an_unusable_secret_is_replaced(
    cluster: AdmissionCluster, spoil: Callable[[dict[str, str]], object]
) -> None:
    await Replica(cluster).rounds(1)
    spoil(cluster.secrets[SECRET]["data"])
    with pytest.raises(UnusableSecret):
        stored(cluster)
    replica = Replica(cluster)
    await replica.rounds(1)
    assert replica.served == [stored(cluster)]


async def test_the_served_certificate_stays_while_the_api_server_is_unreachable(cluster: AdmissionCluster) -> None:
    replica = Replica(cluster)
    await replica.rounds(1)
    cluster.down = True
    with pytest.raises(ApiException):
        await replica.upkeep.round()
    assert replica.upkeep.registered
    assert len(replica.served) == 1


async def test_a_removed_bundle_is_restored(cluster: AdmissionCluster) -> None:
    replica = Replica(cluster)
    await replica.rounds(1)
    cluster.configuration = applied()
    cluster.configuration["metadata"]["resourceVersion"] = "1000"
    await replica.rounds(1)
    assert trusted(cluster) == [frozenset({stored(cluster).newest})] * 2


async def test_without_a_configuration_it_serves_and_says_that_it_is_not_registered() -> None:
    cluster = AdmissionCluster(None)
    replica = Replica(cluster)
    assert await replica.upkeep.round() is True
    assert len(replica.served) == 1
    assert not replica.upkeep.registered


async def test_updates_fail_closed_where_deleting_objects_can_be_told_apart() -> None:
    cluster = AdmissionCluster(applied(), knows_match_conditions=True)
    await Replica(cluster).rounds(1)
    assert policies(cluster) == {"create": "Fail", "update": "Fail"}
    assert cluster.configuration is not None
    conditions = [hook.get("matchConditions") for hook in cluster.configuration["webhooks"]]
    assert conditions[0] is None
    assert "deletionTimestamp" in conditions[1][0]["expression"]


async def test_updates_fail_open_where_they_cannot() -> None:
    cluster = AdmissionCluster(applied(), knows_match_conditions=False)
    replica = Replica(cluster)
    await replica.rounds(1)
    assert policies(cluster) == {"create": "Fail", "update": "Ignore"}
    patches = cluster.patches
    await replica.rounds(3)
    assert cluster.patches == patches


async def test_a_policy_that_would_hold_up_deletes_is_opened_again() -> None:
    closed = applied()
    closed["webhooks"][1]["failurePolicy"] = "Fail"
    cluster = AdmissionCluster(closed, knows_match_conditions=False)
    await Replica(cluster).rounds(1)
    assert policies(cluster) == {"create": "Fail", "update": "Ignore"}


async def test_a_shorter_life_is_taken_up_by_what_is_there(cluster: AdmissionCluster) -> None:
    await Replica(cluster).rounds(1)
    before = stored(cluster)
    replica = Replica(cluster, webhook_certificate_lifetime=timedelta(days=1))
    await replica.rounds(2)
    assert stored(cluster).certificate != before.certificate
    assert stored(cluster).authorities == before.authorities


async def test_labels_and_owners_that_others_gave_the_secret_stay(cluster: AdmissionCluster) -> None:
    await Replica(cluster).rounds(1)
    cluster.secrets[SECRET]["metadata"]["annotations"] = {"owner": "somebody"}
    await Replica(cluster, webhook_certificate_lifetime=timedelta(days=1)).rounds(2)
    assert cluster.secrets[SECRET]["metadata"]["annotations"] == {"owner": "somebody"}
