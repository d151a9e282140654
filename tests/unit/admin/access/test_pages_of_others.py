"""What a page of another site can make a browser send is refused, also where nobody is asked for a token."""

from collections.abc import AsyncIterator

import httpx
import pytest
from temporalio.client import Client

from admin.access.identity import Everybody
from admin.access.rights import VERBS
from admin.app import admin_application
from admin.settings import AdminSettings
from testing.workspaces import workspace

EVIL = "https://evil.example"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    temporal = await Client.connect("127.0.0.1:1", lazy=True)
    app = admin_application(temporal, Everybody(), AdminSettings().hosts)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8081") as client:
        yield client


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Content-Type": "text/plain"}, id="a form"),
        pytest.param({}, id="nothing that a page could not send"),
        pytest.param(JSON | {"Origin": EVIL}, id="another origin"),
        pytest.param(JSON | {"Origin": "null"}, id="an origin that is hidden"),
        pytest.param(JSON | {"Origin": "http://127.0.0.1:3000"}, id="another port"),
        pytest.param(JSON | {"Sec-Fetch-Site": "cross-site"}, id="as the browser tells"),
        pytest.param(JSON | {"Sec-Fetch-Site": "same-site"}, id="of a sister"),
    ],
)
async def test_a_page_changes_nothing(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    for method, path in VERBS:
        if method != "GET":
            answer = await http.request(method, path.format(namespace="default", name="w"), headers=headers)
            assert answer.status_code == 403


async def test_a_page_reads_nothing(http: httpx.AsyncClient) -> None:
    assert (await http.get("/workspaces", headers={"Origin": EVIL})).status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8081", "127.0.0.1.evil.example", "", "[", "localhost@evil.example"]
)
async def test_a_name_that_was_bound_to_our_address_is_not_ours(http: httpx.AsyncClient, host: str) -> None:
    answer = await http.post("/plan", json=workspace("w"), headers={"Host": host})
    assert (answer.status_code, "MODELYARD_ADMIN_HOSTS" in answer.text) == (421, True)


@pytest.mark.parametrize(
    "host", ["localhost:8081", "[::1]:8081", "modelyard-admin", "MODELYARD-ADMIN.modelyard-system.svc:443"]
)
async def test_our_own_names_are_answered(http: httpx.AsyncClient, host: str) -> None:
    assert (await http.post("/plan", json=workspace("w"), headers={"Host": host})).status_code == 200


async def test_a_page_of_our_own_is_answered(http: httpx.AsyncClient) -> None:
    headers = {"Origin": "http://127.0.0.1:8081", "Sec-Fetch-Site": "same-origin"}
    assert (await http.post("/plan", json=workspace("w"), headers=headers)).status_code == 200


async def test_a_body_without_end_is_refused(http: httpx.AsyncClient) -> None:
    body = b'{"serving": ' + b"1" * (3 * 2**20) + b"}"
    answer = await http.put("/workspaces/default/w/deadline", content=body, headers=JSON)
    assert answer.status_code == 413
