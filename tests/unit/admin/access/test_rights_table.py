"""Every route has its row in the table of rights, answers are kept for a while only, and nothing is open by mistake."""

import pytest
from fastapi.routing import APIRoute
from temporalio.client import Client

from admin.access.guard import OPEN
from admin.access.identity import Everybody
from admin.access.recent import Recent
from admin.access.rights import VERBS, Right, names_problem
from admin.app import admin_application
from admin.settings import AdminSettings
from process.exit import CannotStart


async def test_the_table_is_that_of_the_routes() -> None:
    app = admin_application(await Client.connect("127.0.0.1:1", lazy=True), Everybody(), {"admin"})
    asked = {(method, each.path) for each in app.routes if isinstance(each, APIRoute) for method in each.methods or ()}
    assert asked == set(VERBS)
    others = {each.path for each in app.routes if not isinstance(each, APIRoute)}  # type: ignore[attr-defined]
    assert others == OPEN


def test_what_changes_something_needs_more_than_reading() -> None:
    assert {verb for (method, _), verb in VERBS.items() if method == "GET"} == {"get", "list"}
    changing = {verb for (method, path), verb in VERBS.items() if method != "GET" and path != "/plan"}
    assert changing == {"update", "delete"}


def test_a_right_is_shown_as_kubectl_asks_for_it() -> None:
    assert Right("get", "team", "w").shown_by == "kubectl auth can-i get workspaces.kaito.sh/w --namespace team"
    assert Right("list").shown_by == "kubectl auth can-i list workspaces.kaito.sh --all-namespaces"


@pytest.mark.parametrize(("namespace", "name"), [("a/b", "w"), ("Team", "w"), ("team", "../w"), ("team", "w" * 254)])
def test_what_is_no_name_is_looked_for_nowhere(namespace: str, name: str) -> None:
    assert names_problem(namespace, name)
    assert names_problem("team", "w.v-1") is None


async def test_an_answer_is_given_again_for_a_while() -> None:
    now, asked = 0.0, 0

    async def ask() -> int:
        nonlocal asked
        asked += 1
        return asked

    recent: Recent[str, int] = Recent(seconds=10.0, most=2, clock=lambda: now)
    assert [await recent.get("a", ask) for _ in range(3)] == [1, 1, 1]
    now = 10.0
    assert await recent.get("a", ask) == 2
    assert [await recent.get(key, ask) for key in "bca"] == [3, 4, 5]  # no more than two are kept


@pytest.mark.parametrize("address", ["0.0.0.0:8081", "10.201.0.1:8081", "[::]:8081", "admin.example:8081"])
def test_an_open_service_is_not_started_where_others_reach_it(address: str) -> None:
    settings = AdminSettings(admin_address=address, admin_authentication="none")
    with pytest.raises(CannotStart, match="which others reach"):
        settings.check()
    assert not settings.plain


@pytest.mark.parametrize("address", ["127.0.0.1:0", "127.0.0.9:1", "[::1]:8081", "localhost:8081"])
def test_on_loopback_it_may_be_open(address: str) -> None:
    AdminSettings(admin_address=address, admin_authentication="none").check()
