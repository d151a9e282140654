"""Reconciles the API server's ValidatingWebhookConfiguration: the CA bundle, the match condition and the failurePolicy.

The configuration itself is applied from `deploy/admission`; this module patches only what a manifest cannot contain.
A match condition exempts objects that are being deleted, so that updates can fail closed while the webhook is down. A
server below the minimum (a local stack's of Debian) drops the condition; there the removal of a finalizer would depend
on the webhook, so updates fail open, and the workflow validates what it reads.
"""

import base64
from dataclasses import dataclass
from typing import Any, Final

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from admin.webhook.certificates.bundle import split_bundle
from process.x509 import Pem

PATH: Final = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/"
UPDATE: Final = "UPDATE"
NOT_BEING_DELETED: Final[list[dict[str, str]]] = [
    {"name": "not-being-deleted", "expression": "!has(oldObject.metadata.deletionTimestamp)"}
]
STEPS: Final = 4
"""Most patches per round: bundle and condition, then the policy; bounds retries against a writer that reverts them."""
CHANGED_MEANWHILE: Final = (409, 422)


@dataclass(frozen=True)
class Configuration:
    """The configuration as read from the API server."""

    body: Object

    @property
    def trusted(self) -> frozenset[Pem]:
        """CA certificates that all of its webhooks trust."""
        bundles = [split_bundle(_bundle(hook)) for hook in self._hooks]
        return frozenset.intersection(*bundles) if bundles else frozenset()

    def operations(self, bundle: Pem, *, conditions_kept: bool) -> list[Object]:
        """Returns the JSON patch to the desired state; empty if it is reached."""
        wanted = base64.b64encode(bundle).decode()
        patch: list[Object] = []
        for index, hook in enumerate(self._hooks):
            at = f"/webhooks/{index}"
            if (hook.get("clientConfig") or {}).get("caBundle") != wanted:
                patch.append(_set(f"{at}/clientConfig/caBundle", wanted))
            if _handles_updates(hook):
                patch += _closing(at, hook, conditions_kept)
        if not patch:
            return []
        version = {"op": "test", "path": "/metadata/resourceVersion", "value": self.body["metadata"]["resourceVersion"]}
        return [version, *patch]

    @property
    def keeps_conditions(self) -> bool:
        """Whether the API server supports match conditions: it kept those that were patched in."""
        return any(hook.get("matchConditions") for hook in self._hooks)

    @property
    def _hooks(self) -> list[Object]:
        return list(self.body.get("webhooks") or [])


class Registration:
    """One ValidatingWebhookConfiguration."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster, self._path = cluster, PATH + name
        self._conditions_dropped = False

    async def read(self) -> Configuration | None:
        """Returns None if it does not exist. Raises ApiException and connection errors."""
        try:
            return Configuration(await self._cluster.request("GET", self._path))
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    async def correct(self, configuration: Configuration, bundle: Pem) -> bool:
        """Patches it to the desired state. Returns False if it changed meanwhile: then read everything again.

        The bundle replaces the existing one. No replica's authority is lost, provided that the configuration was read
        before the Secret: a replica that added one has patched the configuration since, or will.
        """
        found = configuration
        for _ in range(STEPS):
            patch = found.operations(bundle, conditions_kept=not self._conditions_dropped)
            if not patch:
                return True
            patched = await self._patched(patch)
            if patched is None:
                return False
            found = patched
            self._conditions_dropped = self._conditions_dropped or not found.keeps_conditions
        return False

    async def _patched(self, patch: list[Object]) -> Configuration | None:
        try:
            body = await self._cluster.request(
                "PATCH", self._path, body=patch, content_type="application/json-patch+json"
            )
        except ApiException as error:
            if error.status in CHANGED_MEANWHILE:
                return None
            raise
        return Configuration(body)


def _closing(at: str, hook: Object, conditions_kept: bool) -> list[Object]:
    """Patches to fail closed once the condition is set; before that and without support for it, to fail open."""
    if not conditions_kept:
        return [] if hook.get("failurePolicy") == "Ignore" else [_set(f"{at}/failurePolicy", "Ignore")]
    if hook.get("matchConditions") != NOT_BEING_DELETED:
        return [_set(f"{at}/matchConditions", NOT_BEING_DELETED)]
    return [] if hook.get("failurePolicy") == "Fail" else [_set(f"{at}/failurePolicy", "Fail")]


def _set(path: str, value: Any) -> Object:
    return {"op": "add", "path": path, "value": value}


def _handles_updates(hook: Object) -> bool:
    return any(UPDATE in (rule.get("operations") or []) for rule in hook.get("rules") or [])


def _bundle(hook: Object) -> bytes:
    return base64.b64decode((hook.get("clientConfig") or {}).get("caBundle") or "")
