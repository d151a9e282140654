"""Milliseconds per admission decision, and decisions per second, of one webhook process over TLS.

Sends reviews as the API server does: over kept-alive HTTP/1.1 connections, one review at a time on each. The client is
minimal, because it shares the machine's cores with the webhook. The reviews cover Workspaces of every kind.
"""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from admin.webhook.admission_review import VERSION
from admin.webhook.app import PATH
from bench.results import Result, percentile
from deploy.local.cluster.kubeconfigs import mint_kubeconfig
from deploy.local.cluster.kubectl import kubectl
from deploy.local.host import daemons
from deploy.local.layout import LOOPBACK, Layout
from deploy.local.services import modelyard, webhook
from testing.stack import Stack
from testing.workspaces import Workspaces, workspace

ROUNDS: Final = 2000
WARM_UP: Final = 200
CONNECTIONS: Final = 8
# A response whose head and body are sent apart waits 40 ms for a delayed acknowledgement.
GOAL_P50_MS: Final = 20.0
GOAL_P99_MS: Final = 50.0
ADAPTERS: Final = 10


async def measure(stack: Stack, workspaces: Workspaces) -> AsyncIterator[Result]:
    """Yields the latency on one connection, then the throughput on several."""
    bodies = [_request(body) for body in corpus()]
    async with _webhook(stack.layout):
        await _decisions(stack.layout, bodies, WARM_UP)
        alone = await _decisions(stack.layout, bodies, ROUNDS)
        how = f"one connection over TLS, {len(bodies)} different reviews in turn, good and bad"
        milliseconds = [1000 * seconds for seconds in alone]
        yield Result("admission_p50", percentile(milliseconds, 0.5), "ms", how, goal=GOAL_P50_MS, n=ROUNDS)
        yield Result("admission_p99", percentile(milliseconds, 0.99), "ms", how, goal=GOAL_P99_MS, n=ROUNDS)
        began = time.perf_counter()
        shares = [_decisions(stack.layout, bodies, ROUNDS // CONNECTIONS) for _ in range(CONNECTIONS)]
        crowd = [1000 * seconds for share in await asyncio.gather(*shares) for seconds in share]
        rate = len(crowd) / (time.perf_counter() - began)
        how = f"{CONNECTIONS} connections, each with one review under way, from the same machine"
        yield Result("admission_per_second", rate, "reviews/s", how, n=len(crowd))
        yield Result("admission_crowd_p99", percentile(crowd, 0.99), "ms", how, n=len(crowd))


def corpus() -> list[bytes]:
    """Returns reviews: creations and updates, with few and with many fields, admitted and refused."""
    good = workspace("good", preset="phi-4-mini-instruct")
    adapters = [
        {"source": {"name": f"adapter-{number}", "image": f"registry.example/adapters/{number}:v1"}}
        for number in range(ADAPTERS)
    ]
    full = good | {"inference": {"preset": {"name": "phi-4-mini-instruct"}, "adapters": adapters}}
    tuning = {key: value for key, value in good.items() if key != "inference"} | {
        "tuning": {
            "preset": {"name": "phi-4-mini-instruct"},
            "method": "qlora",
            "input": {"urls": [f"https://data.example/{number}.parquet" for number in range(5)]},
            "output": {"image": "registry.example/out:v1", "imagePushSecret": "push"},
        }
    }
    unknown = good | {"inference": {"preset": {"name": "phi-four"}}, "resource": {"instanceType": "Standard_Nothing"}}
    inner = json.loads(json.dumps(tuning).replace("data.example", "169.254.169.254"))
    moved = good | {"inference": {"preset": {"name": "phi-3.5-mini-instruct"}}}
    large = good | {"inference": {"template": {"spec": {"containers": [_container(number) for number in range(50)]}}}}
    created = [
        _review("CREATE", each) for each in (good, full, tuning, large, unknown, inner, good | {"inference": {}})
    ]
    return [*created, _review("UPDATE", full, good), _review("UPDATE", moved, good), b'{"kind": "AdmissionReview"}']


def _container(number: int) -> dict[str, Any]:
    variables = [{"name": f"VARIABLE_{each}", "value": "x" * 40} for each in range(20)]
    return {"name": f"c-{number}", "image": "registry.example/serve:v1", "env": variables}


def _review(operation: str, new: dict[str, Any], old: dict[str, Any] | None = None) -> bytes:
    request = {"uid": f"bench-{operation}", "operation": operation, "object": new, "oldObject": old}
    return json.dumps({"apiVersion": VERSION, "kind": "AdmissionReview", "request": request}).encode()


def _request(body: bytes) -> bytes:
    head = f"POST {PATH} HTTP/1.1\r\nHost: webhook\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def _webhook(layout: Layout) -> AsyncIterator[None]:
    """Runs the webhook with its registration; removes both after the block and leaves the rest of the stack alone."""
    log = layout.logs / "admission.log"
    await asyncio.to_thread(webhook.ensure_admission, layout, layout.admin_kubeconfig, log, lambda text: None)
    try:
        kubeconfig = mint_kubeconfig(layout, modelyard.WEBHOOK.identity)
        daemon = modelyard.program_daemon(layout, modelyard.WEBHOOK, kubeconfig)
        await asyncio.to_thread(daemons.start, layout, daemon)
        yield
    finally:
        delete = ("delete", "validatingwebhookconfiguration", "modelyard")
        await asyncio.to_thread(kubectl, layout.admin_kubeconfig, *delete)
        await asyncio.to_thread(daemons.stop, layout, modelyard.WEBHOOK.name)


async def _decisions(layout: Layout, requests: Sequence[bytes], count: int) -> list[float]:
    """Returns the seconds of each of `count` decisions, made one after another on one connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the server's identity is not under test
    reader, writer = await asyncio.open_connection(LOOPBACK, layout.ports.webhook, ssl=context)
    taken = []
    for number in range(count):
        began = time.perf_counter()
        writer.write(requests[number % len(requests)])
        await _answered(reader)
        taken.append(time.perf_counter() - began)
    writer.close()
    return taken


async def _answered(reader: asyncio.StreamReader) -> None:
    """Reads one response. Raises ValueError for one that is not a decision."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    if not head.startswith(b"http/1.1 200 ") or b'"allowed": ' not in body:
        raise ValueError(f"the webhook answered {head[:80]!r} {body[:200]!r}")
