"""Reserving GPUs in any order of steps, with deaths in between: nobody ever has a GPU that another one has."""

from collections.abc import Coroutine
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from activities.clients.kubernetes import Object
from activities.nodes.byo.reserve import clear_stale, release, reserve
from activities.nodes.byo.watch import View
from activities.nodes.reservation_labels import reservation_label, reservations_of
from tests.builders import a_key, a_plan
from tests.fakes.node_cluster import NodeCluster
from tests.fakes.nodes import a_node

UIDS = ["a", "b", "c"]


class Actor:
    """One Workspace's activities, a step at a time: it looks, reserves, and once it has what it wants, may let go."""

    def __init__(self, cluster: NodeCluster, uid: str, nodes: int, gpus: int) -> None:
        self.cluster: Any = cluster
        self.plan = a_plan(a_key(uid), node_count=nodes, gpus_per_node=gpus)
        self.view: View | None = None
        self.has: list[str] = []
        self._work: Coroutine[Any, Any, Any] | None = None

    def step(self, choice: int) -> None:
        """Goes on with what is under way; else looks, or begins with what `choice` says."""
        if self._work is not None:
            self._go_on()
        elif self.view is None or choice == 0:
            self.view = View(dict(self.cluster.nodes), ())
        elif choice == 1:
            self._work = release(self.cluster, self.plan.key)
        elif choice == 2:
            self._work = clear_stale(self.cluster, self.view)
        else:
            self._work = reserve(self.cluster, self.plan, self.view)

    def die(self) -> None:
        """The worker is killed: whatever it did stays done, and nobody knows."""
        if self._work is not None:
            self._work.close()
        self._work, self.view = None, None

    def _go_on(self) -> None:
        assert self._work is not None
        try:
            self._work.send(None)
        except StopIteration as done:
            self._work, self.view = None, None
            self.has = done.value if isinstance(done.value, list) else []

    def run_to_the_end(self, work: Coroutine[Any, Any, Any]) -> Any:
        self._work = work
        while True:
            try:
                work.send(None)
            except StopIteration as done:
                self._work = None
                return done.value


def reserved(node: Object) -> int:
    return sum(reservations_of(node).values())


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=3, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), st.integers(-1, 9)), max_size=120),
)
def test_under_any_interleaving_no_gpu_is_reserved_twice(
    offered: list[int], wanted: list[tuple[int, int]], steps: list[tuple[int, int]]
) -> None:
    cluster = NodeCluster(*(a_node(f"n{i}", gpus=gpus) for i, gpus in enumerate(offered)), workspaces=set(UIDS))
    actors = [Actor(cluster, uid, *wishes) for uid, wishes in zip(UIDS, wanted, strict=True)]
    for who, choice in steps:
        if choice < 0:
            actors[who].die()
        else:
            actors[who].step(choice)
        for node, gpus in zip(cluster.nodes.values(), offered, strict=True):
            assert reserved(node) <= gpus
    for actor in actors:
        actor.die()
        actor.run_to_the_end(release(actor.cluster, actor.plan.key))
    assert not any(map(reserved, cluster.nodes.values())), "a release finds every reservation, wherever a worker died"


def taken_by(cluster: NodeCluster, actor: Actor) -> list[str]:
    view = View(dict(cluster.nodes), ())
    return list(actor.run_to_the_end(reserve(actor.cluster, actor.plan, view)))


def test_a_gang_gets_all_its_nodes_or_holds_none() -> None:
    cluster = NodeCluster(a_node("n1"), a_node("n2"), a_node("n3"), workspaces=set(UIDS))
    first, second = Actor(cluster, "a", 2, 1), Actor(cluster, "b", 2, 1)
    assert taken_by(cluster, first) == ["n1", "n2"]
    assert taken_by(cluster, first) == ["n1", "n2"], "a repeat changes nothing"
    assert taken_by(cluster, second) == []
    assert sum(map(reserved, cluster.nodes.values())) == 2
    first.run_to_the_end(release(first.cluster, first.plan.key))
    assert len(taken_by(cluster, second)) == 2


def test_a_conflict_in_the_middle_releases_what_was_reserved() -> None:
    cluster = NodeCluster(a_node("n1"), a_node("n2"), workspaces=set(UIDS))
    slow, fast = Actor(cluster, "a", 2, 1), Actor(cluster, "b", 1, 1)
    work = reserve(slow.cluster, slow.plan, View(dict(cluster.nodes), ()))
    while not reserved(cluster.nodes["n1"]):
        work.send(None)
    assert taken_by(cluster, fast) == ["n2"]
    assert slow.run_to_the_end(work) == []
    assert [reservations_of(node) for node in cluster.nodes.values()] == [{}, {"b": 1}]


def test_a_half_made_reservation_of_a_killed_worker_is_completed_or_dropped() -> None:
    label = {reservation_label("a"): "1"}
    cluster = NodeCluster(a_node("n1", labels=label), a_node("n2"), a_node("n3", labels=label), workspaces=set(UIDS))
    assert taken_by(cluster, Actor(cluster, "a", 2, 1)) == ["n1", "n3"]
    assert taken_by(cluster, Actor(cluster, "a", 4, 1)) == []
    assert not any(map(reserved, cluster.nodes.values()))


def test_fewer_nodes_than_before_release_the_others() -> None:
    cluster = NodeCluster(a_node("n1"), a_node("n2"), workspaces=set(UIDS))
    taken_by(cluster, Actor(cluster, "a", 2, 1))
    assert taken_by(cluster, Actor(cluster, "a", 1, 1)) == ["n1"]
    assert sum(map(reserved, cluster.nodes.values())) == 1


def test_only_the_reservation_of_a_deleted_workspace_is_cleared() -> None:
    held = {reservation_label("gone"): "1", reservation_label("a"): "1"}
    cluster = NodeCluster(a_node("n1", gpus=2, labels=held), workspaces={"a", "b"})
    actor = Actor(cluster, "b", 1, 1)
    assert taken_by(cluster, actor) == []
    assert actor.run_to_the_end(clear_stale(actor.cluster, View(dict(cluster.nodes), ()))) == ["gone"]
    assert reservations_of(cluster.nodes["n1"]) == {"a": 1}
    assert taken_by(cluster, actor) == ["n1"]
