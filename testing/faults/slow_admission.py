"""A third-party admission webhook that delays the objects that it is to hold; all others pass at once.

It keeps steps that take milliseconds in progress for as long as a fault needs to hit them: Deploy, whose Deployment is
not created or changed yet, Restore, which changes it back, and Forget, whose finalizer is not removed yet. Nothing else
waits for it.
"""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from activities.clients.kubernetes import Object
from api import labels
from deploy.local.cluster.certificates import ensure_certificate
from deploy.local.layout import LOOPBACK, Layout
from testing.workspaces import Workspaces

NAME: Final = "slow-admission"
PATH: Final = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
# The longest timeout that an API server allows a webhook; after that it refuses, and the step retries.
ANSWER_S: Final = 30


@dataclass(frozen=True)
class Names:
    """The Workspaces whose Deployment is held, and those whose finalizer removal is. `away` and `back`: digests by
    Workspace; a change of its Deployment away from the one is held, or to the other."""

    deploying: frozenset[str] = frozenset()
    forgetting: frozenset[str] = frozenset()
    away: Mapping[str, str] = field(default_factory=dict)
    back: Mapping[str, str] = field(default_factory=dict)


class SlowAdmission:
    """Holds the requests of some Workspaces until they are released."""

    def __init__(self) -> None:
        self._names = Names()
        self._released = asyncio.Event()

    def hold(self, *, deploying: Iterable[str], forgetting: Iterable[str]) -> None:
        self._names, self._released = Names(frozenset(deploying), frozenset(forgetting)), asyncio.Event()

    def hold_changes(self, *, away: Mapping[str, str], back: Mapping[str, str]) -> None:
        self._names, self._released = Names(away=away, back=back), asyncio.Event()

    def release(self) -> None:
        self._names = Names()
        self._released.set()

    async def answer(self, http: web.Request) -> web.Response:
        review = await http.json()
        request = review["request"]
        if is_held(request, self._names):
            await self._released.wait()
        review["response"] = {"uid": request["uid"], "allowed": True}
        del review["request"]
        return web.json_response(review)


def is_held(request: dict[str, Any], names: Names) -> bool:
    """Returns whether the request creates or changes such a Deployment, or removes such a finalizer."""
    if request["kind"]["kind"] == "Deployment":
        name = str((request["object"]["metadata"].get("labels") or {}).get(labels.WORKSPACE))
        if request["operation"] == "CREATE":
            return name in names.deploying
        old, new = (_digest(request[key]) for key in ("oldObject", "object"))
        return old != new and (names.away.get(name) == old or names.back.get(name) == new)
    before, after = (request[key]["metadata"].get("finalizers") or [] for key in ("oldObject", "object"))
    goes = labels.WORKSPACE_FINALIZER in before and labels.WORKSPACE_FINALIZER not in after
    return request["name"] in names.forgetting and goes


def _digest(deployment: Object) -> str:
    return str((deployment["metadata"].get("annotations") or {}).get(labels.CONFIG_HASH))


@asynccontextmanager
async def slow_admission(layout: Layout, workspaces: Workspaces) -> AsyncIterator[SlowAdmission]:
    """Registers the webhook with the stack's API server for the duration of the block."""
    admission = SlowAdmission()
    app = web.Application()
    app.add_routes([web.post("/", admission.answer)])
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    pair = ensure_certificate(layout, NAME, common_name=NAME, hosts=[LOOPBACK])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    await web.TCPSite(runner, LOOPBACK, 0, ssl_context=context).start()
    try:
        port = runner.addresses[0][1]
        await workspaces.cluster.request("POST", PATH, body=registration(f"https://{LOOPBACK}:{port}/", layout))
        yield admission
        await workspaces.cluster.request("DELETE", f"{PATH}/{NAME}")
    finally:
        admission.release()
        await runner.cleanup()


def registration(url: str, layout: Layout) -> Object:
    """Returns a registration for updates of Workspaces, and for their Deployments."""
    authority = (layout.pki / "ca.crt").read_bytes()
    common = {
        "clientConfig": {"url": url, "caBundle": b64encode(authority).decode()},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": ANSWER_S,
    }
    deployments = _rule("apps", "v1", "deployments", "CREATE", "UPDATE")
    workspaces = _rule(labels.GROUP, "*", labels.PLURAL, "UPDATE")
    ours = {"matchExpressions": [{"key": labels.WORKSPACE_UID, "operator": "Exists"}]}
    hooks = [
        {"name": "deployments.slow.example", "rules": [deployments], "objectSelector": ours} | common,
        {"name": "workspaces.slow.example", "rules": [workspaces]} | common,
    ]
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    return kind | {"metadata": {"name": NAME}, "webhooks": hooks}


def _rule(group: str, version: str, resource: str, *operations: str) -> Object:
    return {"apiGroups": [group], "apiVersions": [version], "operations": [*operations], "resources": [resource]}
