"""A change wakes the waits that it concerns, and no others."""

import pytest

from activities.clients.kubernetes import Object
from activities.clients.view.index import Index, Scope, Wait
from api import labels
from tests.builders import UID


def labelled(uid: str, namespace: str = "default", **found: str) -> Object:
    return {"metadata": {"name": uid, "namespace": namespace, "uid": uid, "labels": found}}


@pytest.mark.parametrize(
    ("scope", "woken"),
    [
        pytest.param(Scope(None, ""), True, id="everything"),
        pytest.param(Scope(None, "a=1"), True, id="value"),
        pytest.param(Scope("default", "a"), True, id="any value"),
        pytest.param(Scope(None, "a,b=2"), True, id="both"),
        pytest.param(Scope(None, "a=2"), False, id="another value"),
        pytest.param(Scope(None, "a=1,c"), False, id="one label is missing"),
        pytest.param(Scope("elsewhere", "a=1"), False, id="another namespace"),
    ],
)
def test_a_change_wakes_the_waits_that_it_concerns(scope: Scope, woken: bool) -> None:
    index, wait, item = Index(), Wait(), labelled("one", a="1", b="2")
    group = index.join(scope, wait, {})
    index.note(None, item)
    assert (wait.changed.is_set(), list(group.members)) == (woken, ["one"] if woken else [])
    wait.changed.clear()
    index.note(item, dict(item))
    assert not wait.changed.is_set(), "the same again is no change"
    index.note(item, None)
    assert (wait.changed.is_set(), group.members) == (woken, {})


def test_an_object_that_leaves_a_scope_wakes_the_wait() -> None:
    index, wait, item = Index(), Wait(), labelled("one", a="1")
    index.note(None, item)
    group = index.join(Scope(None, "a=1"), wait, {"one": item})
    assert list(group.members) == ["one"]
    index.note(item, labelled("one", a="2"))
    assert wait.changed.is_set() and group.members == {}


def test_a_group_goes_with_its_last_wait() -> None:
    index, first, second, scope = Index(), Wait(), Wait(), Scope("default", f"{labels.WORKSPACE_UID}={UID}")
    item = labelled("one") | {"metadata": labelled("one")["metadata"] | {"labels": {labels.WORKSPACE_UID: UID}}}
    index.note(None, item)
    group = index.join(scope, first, {})
    assert index.join(scope, second, {}) is group and list(group.members) == ["one"]
    index.leave(group, first)
    assert index.waits() == [second]
    index.leave(group, second)
    index.note(item, None)
    assert index.waits() == [] and list(group.members) == ["one"]
