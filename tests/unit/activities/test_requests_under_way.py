"""A crowd's requests share a bounded number of connections; those that take long do not hold up the others."""

import asyncio

from aiohttp import web

from activities.clients.api_server.requests import REQUEST_TIMEOUT_S, SERVICE_WRITES, UNDER_WAY
from activities.clients.kubernetes import Cluster
from activities.clients.pod_proxy import PodProxy
from tests.fakes.scripted_server import Script, answered, served


class Busy:
    """Holds its answers until it is told to give them."""

    def __init__(self, script: Script, answers: int) -> None:
        self.under_way = self.most = 0
        self.may_answer = asyncio.Event()
        script.answers.extend([self._answer] * answers)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.may_answer.wait()
        self.under_way -= 1
        return await answered(web.json_response({}))

    async def until(self, under_way: int) -> None:
        while self.under_way < under_way:
            await asyncio.sleep(0.01)


def completion(cluster: Cluster) -> "asyncio.Task[object]":
    return asyncio.create_task(PodProxy(cluster).post("default", "pod", 80, "/", {}, REQUEST_TIMEOUT_S * 2))


async def test_only_so_many_requests_are_sent_at_a_time_and_all_are_answered() -> None:
    async with served() as (cluster, script):
        busy = Busy(script, answers=200)
        requests = [asyncio.create_task(cluster.get("Pod", f"pod-{i}", "default")) for i in range(200)]
        await busy.until(UNDER_WAY)
        busy.may_answer.set()
        assert await asyncio.gather(*requests) == [{}] * 200
    assert busy.most == UNDER_WAY


async def test_requests_that_take_long_leave_the_others_their_place() -> None:
    async with served() as (cluster, script):
        busy = Busy(script, answers=UNDER_WAY + 1)
        completions = [completion(cluster) for _ in range(UNDER_WAY)]
        await busy.until(UNDER_WAY)
        one = asyncio.create_task(cluster.get("Pod", "pod", "default"))
        await busy.until(UNDER_WAY + 1)
        busy.may_answer.set()
        await asyncio.gather(one, *completions)


async def test_few_services_are_written_at_a_time_and_they_hold_up_nothing_else() -> None:
    async with served() as (cluster, script):
        busy = Busy(script, answers=100)
        body = {"metadata": {"name": "one", "namespace": "default"}}
        writes = [asyncio.create_task(cluster.create("Service", body)) for _ in range(50)]
        await busy.until(SERVICE_WRITES)
        reads = [asyncio.create_task(cluster.get("Service", "one", "default")) for _ in range(50)]
        await busy.until(SERVICE_WRITES + UNDER_WAY)
        busy.may_answer.set()
        await asyncio.gather(*writes, *reads)
    assert busy.most == SERVICE_WRITES + UNDER_WAY
