"""Whatever arrives: a well-formed AdmissionReview, HTTP 200, the uid that was asked with, and no 5xx in it either."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from admin.webhook.__main__ import AllRules
from admin.webhook.admission_review import BODY_LIMIT, VERSION
from admin.webhook.app import PATH, answer_of, webhook_application
from admin.webhook.config_maps import NoConfigMaps
from testing.workspaces import workspace

RULES = AllRules("aks")

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30)
)
FIELDS = (
    "metadata name namespace annotations labels resource instanceType count labelSelector matchLabels matchExpressions "
    "partition inference preset presetOptions template adapters source image urls volume strength tuning input output "
    "method config status"
)
NAMES = st.sampled_from(FIELDS.split()) | st.text(max_size=10)
JSONS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6), max_leaves=30
)
OBJECTS = st.dictionaries(NAMES, JSONS, max_size=8)


@st.composite
def workspaces(draw: st.DrawFn) -> dict[str, Any]:
    """A Workspace of which anything may have been replaced by anything."""
    whole = workspace(draw(st.text(max_size=10)), preset=draw(st.sampled_from(["phi-4-mini-instruct", "a/b", "?"])))
    version = draw(st.sampled_from(["kaito.sh/v1alpha1", "kaito.sh/v1beta1"]))
    return whole | {"apiVersion": version} | draw(OBJECTS)


def body_of(operation: Any, new: Any, old: Any, uid: Any = "u") -> bytes:
    request = {"uid": uid, "operation": operation, "object": new, "oldObject": old}
    return json.dumps({"apiVersion": VERSION, "kind": "AdmissionReview", "request": request}).encode()


def answered(body: bytes) -> bytes:
    return asyncio.run(answer_of(body, RULES, NoConfigMaps()))


def check(text: bytes, uid: str | None = None) -> None:
    found = json.loads(text)
    assert set(found) == {"apiVersion", "kind", "response"}
    assert (found["apiVersion"], found["kind"]) == (VERSION, "AdmissionReview")
    response = found["response"]
    assert isinstance(response["uid"], str)
    if uid is not None:
        assert response["uid"] == uid
    if response["allowed"] is not True:
        assert response["allowed"] is False
        assert response["status"]["code"] in (400, 408, 413, 415, 422)
        assert response["status"]["message"]
    assert len(text) < 64 * 1024


@given(workspaces(), workspaces(), st.sampled_from(["CREATE", "UPDATE", "DELETE"]))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_any_workspace_is_answered(new: dict[str, Any], old: dict[str, Any], operation: str) -> None:
    check(answered(body_of(operation, new, old)), "u")


@given(JSONS, JSONS, JSONS, JSONS)
@settings(max_examples=100)
def test_any_review_is_answered(operation: Any, new: Any, old: Any, uid: Any) -> None:
    check(answered(body_of(operation, new, old, uid)))


@given(JSONS | st.builds(dict, request=OBJECTS, kind=st.just("AdmissionReview"), apiVersion=st.just(VERSION)))
@settings(max_examples=100)
def test_any_json_is_answered(value: Any) -> None:
    check(answered(json.dumps(value).encode()))


@given(st.binary(max_size=2000))
@example(b'{"kind":"AdmissionReview"' + b'{"a":' * 5000)
@example(b'{"a":' * 100_000)
@example(b'{"kind":1e999999,"x":' + b"9" * 10_000 + b"}")
@example(body_of("CREATE", workspace("\ud800"), None))
@example(body_of("CREATE", workspace("w"), None).replace(b'"count": 1', b'"count": 1e999'))
@example(body_of("CREATE", workspace("w"), None).replace(b'"count": 1', b'"count": ' + b"9" * 4000))
@example(body_of("CREATE", workspace("w") | {"inference": {"preset": {"name": "x" * 100_000}}}, None))
def test_any_bytes_are_answered(body: bytes) -> None:
    check(answered(body))


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(webhook_application(RULES, NoConfigMaps(), read_s=0.2), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://webhook") as made:
        yield made


async def test_the_route_answers_a_review(client: httpx.AsyncClient) -> None:
    good = workspace("w", preset="phi-4-mini-instruct")
    response = await client.post(PATH, json=json.loads(body_of("CREATE", good, None)))
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json()["response"]["allowed"] is True


@pytest.mark.parametrize("content_type", ["text/plain", "application/jsonx", "", "multipart/form-data; boundary=x"])
async def test_other_content_types_are_refused_in_form(client: httpx.AsyncClient, content_type: str) -> None:
    response = await client.post(PATH, content=b"{}", headers={"Content-Type": content_type})
    assert response.status_code == 200
    assert response.json()["response"]["status"]["code"] == 415


async def test_an_oversize_body_is_refused_in_form_and_not_read_to_its_end(client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 2**20
            yield b" " * 2**20

    response = await client.post(PATH, content=endless(), headers={"Content-Type": "application/json"})
    assert response.status_code == 200
    assert response.json()["response"]["status"]["code"] == 413
    assert sent <= BODY_LIMIT + 2**21


async def test_a_body_that_does_not_come_is_not_waited_for(client: httpx.AsyncClient) -> None:
    async def stalling() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    response = await client.post(PATH, content=stalling(), headers={"Content-Type": "application/json"})
    assert response.json()["response"]["status"]["code"] == 408


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_other_methods_are_refused(client: httpx.AsyncClient, method: str) -> None:
    assert (await client.request(method, PATH)).status_code == 405
