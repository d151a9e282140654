"""Answers that a pod, or what is between us and the API server, makes up: none is followed, unpacked, or read whole."""

import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from kubernetes.aio import client as kubernetes_client
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

from activities.clients.api_server.transport import LARGEST_FROM_POD, LARGEST_OBJECT, AnswerInvalid, AnswerTooLarge
from activities.clients.kubernetes import Cluster
from activities.clients.pod_proxy import PodAnswerInvalid, PodProxy
from activities.serving.completions import complete
from testing.faults.raw_servers import Respond, listening, repeating, sending
from testing.memory_growth import MIB, grows_at_most
from tests.builders import a_key

SECRET: Final = "the payroll of the victim"
HEAD: Final = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
Ask = Callable[[Cluster], Any]


def answer(body: bytes, *headers: str) -> bytes:
    lines = "".join(f"{line}\r\n" for line in (*headers, f"Content-Length: {len(body)}"))
    return f"{HEAD}{lines}\r\n".encode() + body


def redirected(status: int, place: str) -> bytes:
    return f"HTTP/1.1 {status} {SECRET}\r\nLocation: {place}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


BOMB: Final = answer(gzip.compress(bytes(256 * MIB)), "Content-Encoding: gzip")
"""A quarter of a MiB that is 256 unpacked."""
ENDLESS: Final = repeating(f"{HEAD}\r\n".encode(), b"[" * 2**16)
ENDLESS_LINE: Final = repeating(f'{HEAD}\r\n{{"type": "ADDED"'.encode(), b" " * 2**16)


@asynccontextmanager
async def asking(respond: Respond) -> AsyncIterator[Cluster]:
    with listening(respond) as port:
        host = f"http://127.0.0.1:{port}"
        cluster = Cluster(kubernetes_client.ApiClient(kubernetes_client.Configuration(host=host)))
        try:
            yield cluster
        finally:
            await cluster.close()


async def pod(cluster: Cluster) -> Any:
    return await PodProxy(cluster).get("default", "pod", 80, "/healthz", 60)


async def listed(cluster: Cluster) -> Any:
    return await cluster.list_all("Pod")


async def read(cluster: Cluster) -> Any:
    return await cluster.get("Secret", "one", "default")


async def watched(cluster: Cluster) -> Any:
    return [event async for event in cluster.watch("Pod", since="1", seconds=60)]


async def vendors(cluster: Cluster) -> Any:
    return await LeaseLock("lease", "default", "me", cluster.api).get("lease", "default")


@pytest.mark.parametrize("ask", [pod, listed, read, watched, vendors])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_says_neither_where_nor_what(ask: Ask, status: int) -> None:
    followed: list[int] = []

    def victim(connection: Any) -> None:
        followed.append(1)
        connection.sendall(answer(json.dumps({"metadata": {}, "items": [SECRET]}).encode()))

    with listening(victim) as inside:
        for place in (f"http://127.0.0.1:{inside}/secrets", "../../../victim/secrets/payroll"):
            async with asking(sending(redirected(status, place))) as cluster:
                if ask is vendors:
                    found, told = await ask(cluster)
                    assert not found
                else:
                    with pytest.raises(ApiException) as refused:
                        await ask(cluster)
                    told = f"{refused.value} {refused.value!r} {refused.value.body}"
                    assert refused.value.status == status
            assert place not in f"{told}" and SECRET not in f"{told}"
    assert not followed


@pytest.mark.parametrize(
    ("ask", "most_mib"), [(pod, 4), (listed, 4), (read, 4), (watched, 4)], ids=["pod", "list", "object", "watch"]
)
async def test_a_small_answer_that_unpacks_to_a_large_one_is_not_unpacked(ask: Ask, most_mib: int) -> None:
    async with asking(sending(BOMB)) as cluster:
        with grows_at_most(most_mib), pytest.raises((AnswerInvalid, PodAnswerInvalid), match="is compressed although"):
            await ask(cluster)


@pytest.mark.parametrize(
    ("ask", "respond", "most_mib"),
    [(pod, ENDLESS, 8), (read, ENDLESS, 64), (listed, ENDLESS, 64), (watched, ENDLESS_LINE, 64)],
    ids=["pod", "object", "list", "watch"],
)
async def test_an_answer_without_end_is_left_alone_at_its_bound(ask: Ask, respond: Respond, most_mib: int) -> None:
    async with asking(respond) as cluster:
        with grows_at_most(most_mib), pytest.raises((AnswerTooLarge, PodAnswerInvalid), match="has more than"):
            await ask(cluster)


async def test_an_error_without_end_is_an_error_without_text() -> None:
    endless = repeating(b"HTTP/1.1 500 No\r\nConnection: close\r\n\r\n", bytes(2**16))
    async with asking(endless) as cluster:
        with grows_at_most(8), pytest.raises(ApiException) as refused:
            await read(cluster)
    assert (refused.value.status, refused.value.body) == (500, "")


async def test_a_length_that_is_too_great_is_believed_before_anything_is_read() -> None:
    head = f"{HEAD}Content-Length: {LARGEST_FROM_POD + 1}\r\n\r\n".encode()
    async with asking(sending(head)) as cluster:
        with pytest.raises(PodAnswerInvalid, match=f"more than {LARGEST_FROM_POD}"):
            await pod(cluster)


@pytest.mark.parametrize("lines", [1, 3])
async def test_an_event_as_long_as_the_largest_object_is_read(lines: int) -> None:
    item = {"metadata": {"name": "x", "annotations": {"a": "b" * (LARGEST_OBJECT - 1000)}}}
    line = json.dumps({"type": "ADDED", "object": item}).encode() + b"\n"
    async with asking(sending(answer(line * lines))) as cluster:
        assert await watched(cluster) == [("ADDED", item)] * lines


async def test_one_long_object_does_not_keep_the_others_from_being_listed() -> None:
    """A page of them would be too long; each alone is not."""
    body = {"metadata": {"resourceVersion": "1"}, "items": [{"metadata": {"name": "x"}}]}
    asked: list[str] = []

    class Pages:
        def __call__(self, connection: Any) -> None:
            asked.append("page")
            fits = len(asked) > 3
            connection.sendall(
                answer(json.dumps(body).encode()) if fits else f"{HEAD}\r\n".encode() + b" " * LARGEST_OBJECT + b"  "
            )

    async with asking(Pages()) as cluster:
        assert (await listed(cluster))[0] == body["items"]
    assert len(asked) == 4


BODIES = [
    pytest.param(answer(json.dumps({"data": SECRET}).encode()), "without the field choices", id="no choices"),
    pytest.param(answer(SECRET.encode()), "not a JSON object", id="no JSON"),
    pytest.param(answer(b"[" * 100_000), "not a JSON object", id="nested without end"),
    pytest.param(answer(b"x" * (LARGEST_FROM_POD + 1)), "more than", id="too long"),
    pytest.param(BOMB, "is compressed", id="compressed"),
    pytest.param(redirected(302, "../../../victim/secrets/payroll"), "with 302: a redirect", id="redirect"),
    pytest.param(
        answer(json.dumps({"message": SECRET}).encode()).replace(b"200 OK", b"400 " + SECRET.encode()),
        "with 400: Bad Request", id="refusal",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "told"), BODIES)
async def test_a_pod_that_answers_with_something_else_is_not_quoted(sent: bytes, told: str) -> None:
    key = a_key()
    async with asking(sending(sent)) as cluster:
        with pytest.raises(Exception, match=told) as error:
            await complete(PodProxy(cluster), key.namespace, "pod-1", "a-model")
    assert SECRET not in repr(error.value) and "victim" not in repr(error.value)
