"""Simulates all kubelets: `python -m testing.pods.simulated_kubelet --instance chaos`.

Pods that the real scheduler has bound become Running and Ready after a while, and deleted pods go; `simulated_jobs.py`
runs those of Jobs. All have the machine's own bridge address, where this process responds for them, so that the API
server's pod proxy reaches them. Nothing runs in the pods. It also provides the one node that exists before any is
bought, for pods that need no GPU.
"""

import argparse
import asyncio
import logging
import time
import zlib
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp import web
from kubernetes.aio.client.exceptions import ApiException

from activities.clients.api_server.paths import path_of
from activities.clients.kubernetes import Cluster, Object
from activities.clients.watch import EventType, follow
from api import labels
from api.pods.data import DATA_PORT
from api.pods.publish import PUBLISH_PORT
from api.pods.serve import SERVE_PORT
from deploy.local.azure.nodes.machines import Machine
from deploy.local.azure.nodes.simulated import Simulated
from deploy.local.layout import INSTANCES, Layout
from presets.machines.skus import find_sku
from process.run import run
from testing.pods.rules import CONTROL_PATH, AnswerRule, PodRule, PodRules
from testing.pods.simulated_jobs import JobPods, owning_job
from testing.pods.statuses import now, running_status, unpulled_status, waiting_status

RETRY_S: Final = 0.3
# Ports of serving and of the three kinds of Jobs; training listens where serving does.
PORTS: Final = (SERVE_PORT, DATA_PORT, PUBLISH_PORT)
SYSTEM_NODE: Final = Machine(
    name="system-0",
    pool="system",
    number=0,
    provider_id="simulated://system-0",
    sku=find_sku("Standard_D32s_v5"),
    gpus=0,
    labels={"agentpool": "system", "kubernetes.azure.com/mode": "system"},
)
PATCH_TYPE: Final = "application/strategic-merge-patch+json"


class SimulatedKubelet:
    """One task per pod that is coming up or going away."""

    def __init__(self, cluster: Cluster, address: str) -> None:
        self._cluster = cluster
        self._address = address
        self._tasks: dict[tuple[str, bool], asyncio.Task[None]] = {}
        self.rules = PodRules()
        self.jobs = JobPods(address, lambda: self.rules, self._report, self._until_over)
        self._changed = asyncio.Event()

    def set_rules(self, rules: PodRules) -> None:
        """Applies to waiting pods too."""
        self.rules = rules
        self._changed.set()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Follows all pods until cancelled."""
        await follow(self._cluster, "Pod", self._seen)

    async def _seen(self, seen: EventType, pod: Object) -> None:
        uid, leaving = pod["metadata"]["uid"], "deletionTimestamp" in pod["metadata"]
        if seen is EventType.GONE or leaving:
            self._end(uid, leaving=False)
        if seen is EventType.GONE:
            self._end(uid, leaving=True)
        elif leaving:
            self._begin(uid, True, self._take_away, pod)
        elif not pod["spec"].get("nodeName"):
            return
        elif owning_job(pod) and pod["status"].get("phase") in ("Pending", "Running"):
            self._begin(uid, False, self.jobs.run, pod)
        elif pod["status"].get("phase") == "Pending":
            self._begin(uid, False, self._bring_up, pod)

    def _begin(self, uid: str, leaving: bool, work: Callable[[Object], Coroutine[Any, Any, None]], pod: Object) -> None:
        if (uid, leaving) not in self._tasks:
            self._tasks[uid, leaving] = asyncio.create_task(work(pod))

    def _end(self, uid: str, *, leaving: bool) -> None:
        task = self._tasks.pop((uid, leaving), None)
        if task is not None:
            task.cancel()

    async def _bring_up(self, pod: Object) -> None:
        given = await self._given(pod)
        await self._wait(pod, lambda rule: rule.ready_seconds, given)
        await self._fail(pod, given)
        await self._report(pod, running_status(pod, self._address, now()))

    async def _fail(self, pod: Object, given: str) -> None:
        """Returns at once for a pod that is to become ready; another one is tried again until its rule has gone."""
        restarts = 0
        while (rule := self._rule(pod, given)).fails:
            ended = {"exitCode": 1, "reason": "Error", "message": rule.failure_message, "startedAt": now()}
            status = (
                unpulled_status(pod, self._address, rule.unpulled)
                if rule.unpulled
                else waiting_status(pod, self._address, ended | {"finishedAt": now()}, restarts)
            )
            await self._report(pod, status)
            restarts += 1
            await self._wait(pod, lambda rule: rule.restart_seconds, given)

    async def _given(self, pod: Object) -> str:
        """What the pod's containers are made of: their images, and the data of the ConfigMap that is mounted."""
        texts = [str(one.get("image", "")) for one in pod["spec"]["containers"]]
        if any(rule.given != "*" for rule in self.rules.pods):
            namespace = pod["metadata"]["namespace"]
            mounted = [one["configMap"]["name"] for one in pod["spec"].get("volumes") or () if "configMap" in one]
            found = [await self._cluster.get("ConfigMap", name, namespace) for name in mounted]
            texts += [text for one in found if one for text in (one.get("data") or {}).values()]
        return " ".join(" ".join(texts).split())

    async def _report(self, pod: Object, status: Object) -> None:
        await self._retry_until_accepted("PATCH", _path(pod) + "/status", {"status": status}, PATCH_TYPE)

    async def _take_away(self, pod: Object) -> None:
        await self._wait(pod, lambda rule: rule.gone_seconds)
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}
        await self._retry_until_accepted("DELETE", _path(pod), body, "application/json")

    async def _wait(self, pod: Object, seconds: Callable[[PodRule], float], given: str = "") -> None:
        """Waits for the rule's seconds, which may change meanwhile."""
        await self._until_over(lambda: seconds(self._rule(pod, given)))

    def _rule(self, pod: Object, given: str) -> PodRule:
        return self.rules.of_pod((pod["metadata"].get("labels") or {}).get(labels.WORKSPACE, ""), given)

    async def answer(self, model: str) -> AnswerRule:
        """Returns the rule for a completion, after its seconds."""
        await self._until_over(lambda: self.rules.of_answer(model).seconds)
        return self.rules.of_answer(model)

    async def _until_over(self, seconds: Callable[[], float]) -> None:
        began = time.monotonic()
        while (left := began + seconds() - time.monotonic()) > 0:
            changed = asyncio.create_task(self._changed.wait())
            await asyncio.wait([changed], timeout=left)
            changed.cancel()

    async def _retry_until_accepted(self, method: str, path: str, body: Object, content_type: str) -> None:
        """Retries until the request succeeds or the pod no longer exists: the API server may be down."""
        while True:
            try:
                await self._cluster.request(method, path, body=body, content_type=content_type)
                return
            except ApiException as refused:
                if refused.status in (404, 409):
                    return
                logging.info("%s %s: %s %s", method, path, refused.status, refused.reason)
            except (aiohttp.ClientError, TimeoutError) as lost:
                logging.info("%s %s: %r", method, path, lost)
            await asyncio.sleep(RETRY_S)


def application(kubelet: SimulatedKubelet) -> web.Application:
    """Returns the server of every pod: completions, health, and the rules."""

    async def complete(request: web.Request) -> web.Response:
        body = await request.json()
        rule = await kubelet.answer(body["model"])
        choices = [{"index": 0, "text": " world", "finish_reason": "length", "logprobs": _logprobs_of(body["model"])}]
        return web.json_response({"model": body["model"], "choices": choices}, status=rule.status)

    async def health(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def put_rules(request: web.Request) -> web.Response:
        kubelet.set_rules(PodRules.model_validate(await request.json()))
        return web.Response(status=204)

    app = web.Application()
    app.add_routes(
        [
            web.post("/v1/completions", complete),
            web.get("/health", health),
            web.get("/healthz", kubelet.jobs.health),
            web.put(CONTROL_PATH, put_rules),
        ]
    )
    return app


async def serve(layout: Layout, stop: asyncio.Event) -> None:
    """Runs until `stop` is set."""
    cluster = await Cluster.connect(str(layout.admin_kubeconfig))
    kubelet = SimulatedKubelet(cluster, layout.address)
    runner = web.AppRunner(application(kubelet), shutdown_timeout=1.0)
    await runner.setup()
    for port in PORTS:
        await web.TCPSite(runner, layout.address, port).start()
    node = Simulated(layout.admin_kubeconfig)
    await node.open()
    await node.start(SYSTEM_NODE)
    following, stopping = asyncio.create_task(kubelet.run()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([following, stopping], return_when=asyncio.FIRST_COMPLETED)
        following.cancel()
        await asyncio.gather(following, return_exceptions=stop.is_set())
    finally:
        await runner.cleanup()
        await node.close()
        await cluster.close()


def _logprobs_of(model: str) -> Object:
    """Of one token, in vLLM's form: another number for each model, and the same again for the same one."""
    number = -1 - zlib.crc32(model.encode()) / 2**32
    return {"tokens": [" world"], "token_logprobs": [number], "top_logprobs": [{" world": number}], "text_offset": [0]}


def _path(pod: Object) -> str:
    return path_of("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m testing.pods.simulated_kubelet")
    parser.add_argument("--instance", choices=INSTANCES, required=True, help="local stack whose pods are simulated")
    run(partial(serve, Layout.of(parser.parse_args().instance)))


if __name__ == "__main__":
    main()
