"""Verify asks a pod through the API server's proxy and names the adapters that change nothing."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio import client as kubernetes_client
from temporalio.exceptions import ApplicationError

from activities.clients.kubernetes import Cluster
from activities.serving.completions import require_effects
from tests.builders import a_key

KEY = a_key()
Answer = Callable[[dict[str, Any]], web.Response]


def numbers(**of: float) -> Answer:
    """A model server: the base model's number is -1, and each adapter's is told."""

    def answer(body: dict[str, Any]) -> web.Response:
        number = of.get(body["model"], -1.0)
        told = {"tokens": [" a"], "top_logprobs": [{" a": number, " b": -3.0}]}
        return web.json_response({"choices": [{"text": " a", "logprobs": told}]})

    return answer


@asynccontextmanager
async def cluster(answer: Answer, *adapters: dict[str, Any]) -> AsyncIterator[Cluster]:
    """An API server that knows one Workspace and one pod."""
    workspace = {
        "metadata": {"name": KEY.name, "namespace": KEY.namespace, "uid": KEY.uid},
        "inference": {"adapters": list(adapters)},
    }

    async def complete(request: web.Request) -> web.Response:
        return answer(await request.json())

    async def read(request: web.Request) -> web.Response:
        return web.json_response(workspace)

    app = web.Application()
    app.router.add_post("/api/v1/{tail:.*}/v1/completions", complete)
    app.router.add_get("/apis/kaito.sh/{tail:.*}", read)
    async with TestServer(app) as server:
        configuration = kubernetes_client.Configuration(host=str(server.make_url("/")).rstrip("/"))
        connected = Cluster(kubernetes_client.ApiClient(configuration))
        try:
            yield connected
        finally:
            await connected.close()


async def test_the_adapters_without_effect_are_named_with_what_to_do() -> None:
    async with cluster(numbers(loud=-2.0)) as api:
        with pytest.raises(ApplicationError) as caught:
            await require_effects(api, KEY, "pod", ["base", "idle", "loud", "mute"])
    assert caught.value.type == "AdapterWithoutEffect" and caught.value.non_retryable
    assert "adapters idle, mute change nothing" in caught.value.message and "base" in caught.value.message


async def test_adapters_with_an_effect_pass_and_so_does_one_of_strength_0() -> None:
    off = {"source": {"name": "off", "image": "r/off:1"}, "strength": "0"}
    async with cluster(numbers(loud=-1.0001), off) as api:
        await require_effects(api, KEY, "pod", ["base", "loud", "off"])


async def test_a_server_that_is_set_up_to_give_no_numbers_is_not_judged() -> None:
    async with cluster(lambda body: web.json_response({"message": "max-logprobs is 0"}, status=400)) as api:
        await require_effects(api, KEY, "pod", ["base", "tone"])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda body: web.json_response({"choices": [{"text": "SECRET"}]}), "without the log-probabilities asked for"),
        (lambda body: web.json_response({"error": "SECRET"}, status=500), "with 500"),
        (lambda body: web.json_response({}), "without the field choices"),
    ],
)
async def test_another_answer_fails_and_is_not_quoted(answer: Answer, words: str) -> None:
    async with cluster(answer) as api:
        with pytest.raises(ApplicationError, match=words) as caught:
            await require_effects(api, KEY, "pod", ["base", "tone"])
    assert caught.value.type == "VerifyFailed" and "SECRET" not in repr(caught.value)
