"""Which events are sent, and how unsent messages are merged."""

import asyncio
from typing import Any

import pytest
from temporalio.service import RPCError, RPCStatusCode

from activities.clients.watch import EventType
from activities.contract.payloads import Sighting
from api.names import WorkspaceKey
from testing.deadlines import PATIENCE_S
from tests.fakes.nodes import a_node
from watcher.predicates import OwnedMemory, WorkspaceMemory, in_order, owners_of, trim, trim_workspace
from watcher.signals import Signaller, merged
from workflows.messages import Changed

KEY = WorkspaceKey("default", "w")
LABELS = {"kaito.sh/workspace": "w", "kaito.sh/workspacenamespace": "default", "modelyard.dev/workspace-uid": "u1"}
OWNER = {"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "name": "w", "uid": "u1", "controller": True}


def a_workspace(generation: int = 1, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"uid": "u1", "name": "w", "namespace": "default", "generation": generation} | metadata}


def a_deployment(ready: int, replicas: int = 1, digest: str = "d1", observed: int = 1) -> dict[str, Any]:
    return {
        "metadata": {
            "uid": "d1",
            "namespace": "default",
            "labels": dict(LABELS),
            "ownerReferences": [dict(OWNER)],
            "generation": int(digest[1:]),
            "annotations": {"modelyard.dev/config-hash": digest},
        },
        "spec": {"replicas": replicas},
        "status": {"readyReplicas": ready, "updatedReplicas": replicas, "observedGeneration": observed},
    }


def test_an_event_of_our_own_status_is_not_sent() -> None:
    memory = WorkspaceMemory()
    assert memory.change_of(EventType.CHANGED, a_workspace()) == Changed(uid="u1", generation=1, paused=False)
    assert memory.change_of(EventType.CHANGED, a_workspace()) is None
    assert memory.change_of(EventType.CHANGED, a_workspace(labels={"a": "b"})) is None
    assert memory.change_of(EventType.CHANGED, a_workspace(2)) == Changed(uid="u1", generation=2, paused=False)


def test_a_delete_and_a_retry_are_sent() -> None:
    memory = WorkspaceMemory()
    memory.change_of(EventType.LISTED, a_workspace())
    retry = memory.change_of(EventType.CHANGED, a_workspace(annotations={"modelyard.dev/retry": "1"}))
    assert retry is not None and retry.retry == "1"
    deleting = memory.change_of(EventType.CHANGED, a_workspace(deletionTimestamp="2026-01-01T00:00:00Z"))
    assert deleting is not None and deleting.deleting and not deleting.gone


def test_a_disappearance_is_sent_unless_the_delete_was() -> None:
    memory = WorkspaceMemory()
    memory.change_of(EventType.LISTED, a_workspace())
    gone = memory.change_of(EventType.GONE, a_workspace())
    assert gone is not None and gone.gone and gone.deleting
    memory.change_of(EventType.CHANGED, a_workspace(deletionTimestamp="2026-01-01T00:00:00Z"))
    assert memory.change_of(EventType.GONE, a_workspace()) is None


def test_what_a_workspace_that_is_being_deleted_owned_may_go() -> None:
    workspaces = WorkspaceMemory()
    workspaces.change_of(EventType.LISTED, a_workspace())
    assert owners_of(a_deployment(1), workspaces) == [(KEY, "u1")]
    workspaces.change_of(EventType.CHANGED, a_workspace(deletionTimestamp="2026-01-01T00:00:00Z"))
    assert owners_of(a_deployment(1), workspaces) == []


def test_a_pause_and_its_end_are_sent() -> None:
    memory = WorkspaceMemory()
    memory.change_of(EventType.LISTED, a_workspace())
    for value, is_paused in (("true", True), ("false", False), ("", True)):
        change_of = memory.change_of(EventType.CHANGED, a_workspace(annotations={"modelyard.dev/paused": value}))
        assert change_of is not None and change_of.paused is is_paused
    change_of = memory.change_of(EventType.CHANGED, a_workspace())
    assert change_of is not None and change_of.paused is False


def test_an_owned_object_does_not_report_a_pause() -> None:
    waiting = Changed(uid="u1", generation=1, paused=True)
    assert merged(waiting, Changed(uid="u1", generation=0, resync=True)).paused is True
    assert merged(waiting, Changed(uid="u1", generation=1, paused=False)).paused is False


def test_of_owned_objects_only_becoming_unhealthy_is_sent() -> None:
    memory = OwnedMemory()
    assert not memory.became_unhealthy(EventType.CHANGED, a_deployment(0))
    assert not memory.became_unhealthy(EventType.CHANGED, a_deployment(1))
    assert memory.became_unhealthy(EventType.CHANGED, a_deployment(0))
    assert not memory.became_unhealthy(EventType.CHANGED, a_deployment(0))
    assert not memory.became_unhealthy(EventType.CHANGED, a_deployment(1))
    assert memory.became_unhealthy(EventType.GONE, a_deployment(1))


def test_after_a_start_every_workspace_is_resynced_once() -> None:
    memory = WorkspaceMemory()
    assert memory.change_of(EventType.LISTED, a_workspace()) == Changed(
        uid="u1", generation=1, resync=True, paused=False
    )
    assert memory.change_of(EventType.LISTED, a_workspace()) is None
    assert memory.change_of(EventType.CHANGED, a_workspace(2)) == Changed(uid="u1", generation=2, paused=False)


def test_an_unhealthy_object_in_a_list_may_have_become_so_unseen() -> None:
    memory = OwnedMemory()
    assert memory.became_unhealthy(EventType.LISTED, a_deployment(0))
    assert not memory.became_unhealthy(EventType.CHANGED, a_deployment(0))
    assert not memory.became_unhealthy(EventType.LISTED, a_deployment(1))


def forged(**metadata: Any) -> dict[str, Any]:
    found = a_deployment(1)
    return found | {"metadata": found["metadata"] | metadata}


@pytest.mark.parametrize(
    "item",
    [
        forged(ownerReferences=[]),
        forged(namespace="tenant-a"),
        forged(namespace="tenant-a", ownerReferences=[]),
        forged(ownerReferences=[OWNER | {"uid": "another"}]),
        forged(ownerReferences=[OWNER | {"name": "ghost"}]),
        forged(ownerReferences=[OWNER | {"controller": False}]),
        forged(ownerReferences=[OWNER | {"kind": "ReplicaSet"}]),
        forged(ownerReferences=[OWNER | {"apiVersion": "kaito.sh.example.com/v1"}]),
    ],
)
def test_a_forged_deployment_speaks_of_nobody(item: dict[str, Any]) -> None:
    workspaces = WorkspaceMemory()
    workspaces.change_of(EventType.LISTED, a_workspace())
    assert owners_of(a_deployment(1), workspaces) == [(KEY, "u1")]
    assert owners_of(item, workspaces) == [] and owners_of(trim(item), workspaces) == []


def test_what_was_never_seen_as_a_workspace_gets_no_message() -> None:
    assert owners_of(a_deployment(1), WorkspaceMemory()) == []
    assert owners_of(a_node("n1", labels=LABELS), WorkspaceMemory()) == []


def test_a_bought_node_concerns_the_workspace_of_its_uid_whatever_else_it_says() -> None:
    workspaces = WorkspaceMemory()
    workspaces.change_of(EventType.LISTED, a_workspace())
    node = a_node("n1", labels=LABELS | {"kaito.sh/workspace": "ghost", "kaito.sh/workspacenamespace": "tenant-a"})
    assert owners_of(node, workspaces) == owners_of(trim(node), workspaces) == [(KEY, "u1")]


def test_of_a_workspace_with_a_large_template_only_what_a_message_needs_is_kept() -> None:
    told = {"modelyard.dev/paused": "true", "modelyard.dev/retry": "7"}
    annotations = {**told, "example.com/notes": "x" * 200_000}
    whole = a_workspace(3, resourceVersion="8", annotations=annotations, managedFields=[{"manager": "kubectl"}])
    whole |= {"inference": {"template": {"spec": {"containers": ["x" * 500_000]}}}, "status": {"revision": 4}}
    kept = trim_workspace(whole)
    assert len(str(kept)) < 400 and trim_workspace(kept) == kept
    assert WorkspaceMemory().change_of(EventType.LISTED, kept) == WorkspaceMemory().change_of(EventType.LISTED, whole)


def test_a_retry_of_any_length_becomes_a_short_token() -> None:
    memory, tokens = WorkspaceMemory(), []
    for value in ("x" * 200_000, "x" * 200_000 + "y", "1"):
        message = memory.change_of(EventType.CHANGED, a_workspace(annotations={"modelyard.dev/retry": value}))
        assert message is not None
        tokens.append(message.retry)
    assert len(set(tokens)) == 3 and max(map(len, tokens)) <= 64 and tokens[-1] == "1"


def test_a_byo_node_concerns_every_workspace_with_a_reservation_there() -> None:
    workspaces = WorkspaceMemory()
    node = a_node("n1", labels={f"gpus.modelyard.dev/{uid}": "1" for uid in ("u1", "not-seen-yet")})
    assert owners_of(node, workspaces) == []
    workspaces.change_of(EventType.LISTED, a_workspace())
    assert owners_of(node, workspaces) == [(KEY, "u1")]
    assert owners_of(trim(node), workspaces) == [(KEY, "u1")]
    workspaces.change_of(EventType.GONE, a_workspace())
    assert owners_of(node, workspaces) == owners_of(a_deployment(1), workspaces) == []


def test_a_new_digest_is_awaited_by_its_workflow_and_what_breaks_afterwards_is_news() -> None:
    memory = OwnedMemory()
    memory.became_unhealthy(EventType.LISTED, a_deployment(1))
    assert not memory.became_unhealthy(EventType.CHANGED, a_deployment(1, digest="d2"))  # not observed yet
    assert not memory.became_unhealthy(EventType.CHANGED, a_deployment(0, digest="d2", observed=2))
    assert not memory.became_unhealthy(EventType.CHANGED, a_deployment(1, digest="d2", observed=2))
    assert memory.became_unhealthy(EventType.CHANGED, a_deployment(0, digest="d2", observed=2))


def test_a_rollback_by_hand_is_news() -> None:
    """`kubectl rollout undo` brings the annotations of the revision before back, and with them its digest."""
    memory = OwnedMemory()
    memory.became_unhealthy(EventType.LISTED, a_deployment(1))
    for observed in (1, 2):
        memory.became_unhealthy(EventType.CHANGED, a_deployment(1, digest="d2", observed=observed))
    undone = a_deployment(0, observed=2)
    undone["metadata"]["generation"] = 3
    assert memory.became_unhealthy(EventType.CHANGED, undone)
    assert not memory.became_unhealthy(EventType.CHANGED, undone)


def test_another_hand_on_a_deployment_is_news() -> None:
    memory = OwnedMemory()
    memory.became_unhealthy(EventType.LISTED, a_deployment(1, digest="d2", observed=2))
    assert memory.became_unhealthy(EventType.CHANGED, a_deployment(1, digest="d2", observed=1))


def test_a_node_that_is_no_longer_ready_or_gone_became_unhealthy() -> None:
    memory = OwnedMemory()
    assert not memory.became_unhealthy(EventType.LISTED, a_node("n1"))
    assert memory.became_unhealthy(EventType.CHANGED, a_node("n1", ready=False))
    assert not memory.became_unhealthy(EventType.CHANGED, a_node("n1"))
    assert memory.became_unhealthy(EventType.GONE, trim(a_node("n1")))


def test_a_trimmed_object_is_evaluated_like_the_whole() -> None:
    for item in (a_node("n1"), a_node("n1", ready=False), a_deployment(0), a_deployment(1)):
        assert in_order(trim(item)) == in_order(item)
        assert "allocatable" not in trim(item)["status"]


def test_a_message_about_a_workspace_carries_its_version_and_that_is_no_change() -> None:
    memory = WorkspaceMemory()
    seen = a_workspace(resourceVersion="7") | {"status": {"revision": 40}}
    sighting = Sighting(resource_version="7", revision=40)
    message = memory.change_of(EventType.CHANGED, seen)
    assert message == Changed(uid="u1", generation=1, paused=False, sighting=sighting)
    assert memory.change_of(EventType.CHANGED, a_workspace(resourceVersion="8")) is None
    assert merged(message, Changed(uid="u1", generation=0, resync=True)).sighting == sighting
    deleting = memory.change_of(EventType.CHANGED, a_workspace(2, resourceVersion="9", deletionTimestamp="now"))
    assert deleting is not None and deleting.sighting == Sighting(resource_version="9")
    assert merged(message, deleting).sighting == deleting.sighting


def test_two_messages_are_merged_into_one() -> None:
    both = merged(Changed(uid="u1", generation=2, resync=True), Changed(uid="u1", generation=1, deleting=True))
    assert both == Changed(uid="u1", generation=2, resync=True, deleting=True)
    assert merged(Changed(uid="u0", generation=9), Changed(uid="u1", generation=1)) == Changed(uid="u1", generation=1)


async def test_a_message_that_temporal_refused_is_merged_and_sent_again() -> None:
    sent: list[Changed] = []
    away = True

    async def send(key: WorkspaceKey, message: Changed) -> None:
        nonlocal away
        if away:
            away = False
            raise RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
        sent.append(message)

    signaller = Signaller(send)
    signaller.enqueue(KEY, Changed(uid="u1", generation=1))
    await asyncio.sleep(0)
    signaller.enqueue(KEY, Changed(uid="u1", generation=2))
    async with asyncio.timeout(PATIENCE_S):
        await signaller.idle()
    assert sent == [Changed(uid="u1", generation=2)]
