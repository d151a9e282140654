"""Checks whether the images of a Workspace can be pulled: our own, a template's, and those that hold adapters.

Each is asked of its registry with the accounts that a pod would have; `verdicts.py` evaluates the responses, `hosts.py`
what a registry means that gives none.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

from activities.clients.kubernetes import Cluster
from activities.clients.registry import Registries, RegistryUnreachable
from activities.contract.plan import Check, Plan
from activities.preflight.hosts import Hosts
from activities.preflight.verdicts import NOT_FOUND, OK, adapter_verdict, all_of, pull_verdict
from api.oci.docker_config import Account, DockerConfig, DockerConfigError, accounts_for
from api.oci.image_reference import ImageReference
from api.pods.registries import AzureIdentity
from api.preflight import CheckName
from api.validation.document import Part

WITH_ADAPTERS: Final = "preset with adapters"
KEPT_S: Final = 30.0
"""The result for our own images is reused for all Workspaces that are checked within this time."""
KEPT_WHEN_THERE_S: Final = 600.0
"""The same for images that exist: an edit need not wait for a registry each time."""


class SecretMissing(Exception):
    """A Secret that only our own program would read does not exist; unlike a missing image pull secret, this fails."""


class Images:
    """`own` are the images of our pods, by kind of plan, and those with adapters; `identity` pulls adapters for which
    no Secret is named. Read-only in the cluster and in registries."""

    def __init__(
        self,
        cluster: Cluster,
        own: Mapping[str, Sequence[str]],
        registries: Registries,
        hosts: Hosts,
        identity: AzureIdentity | None,
    ) -> None:
        self._cluster = cluster
        self._own = own
        self._registries = registries
        self._hosts = hosts
        self._identity = identity
        self._kept: dict[str, tuple[float, Check]] = {}
        self._lock = asyncio.Lock()

    async def check(self, plan: Plan, written: Part | None) -> Check:
        """One result for all images of the plan; `written` is the Workspace, where the plan is of a template or has
        adapters. Raises errors of the API server."""
        if written and plan.kind == "template":
            return await self._of_template(plan.key.namespace, written["inference"]["template"]["spec"])
        if written and plan.adapters:
            return await self._with_adapters(plan, written)
        return await self._of_ours(plan.kind)

    async def _with_adapters(self, plan: Plan, written: Part) -> Check:
        """Merges the checks of our own images and of the adapters' into one."""
        sources = [adapter["source"] for adapter in written["inference"]["adapters"].items()]
        wanted = [source for source in sources if source["image"].text and source["name"].text in plan.adapters]
        found = await asyncio.gather(
            self._of_ours(WITH_ADAPTERS),
            *(self._adapter(plan.key.namespace, source) for source in wanted),
        )
        return all_of(CheckName.IMAGES_PULLABLE, found)

    async def _adapter(self, namespace: str, source: Part) -> Check:
        check, name, reference = CheckName.IMAGES_PULLABLE, source["name"].text, source["image"].text
        try:
            image = ImageReference.parse(reference)
            accounts = await self._accounts(namespace, name, image, source)
            statuses = await self._statuses(image, accounts)
        except SecretMissing as error:
            return Check(name=check, outcome="failed", reason="SecretNotFound", message=str(error))
        except ValueError as error:
            message = f"adapter {name}: {reference}: {error}"
            return Check(name=check, outcome="failed", reason="AdapterForbidden", message=message)
        except RegistryUnreachable as error:
            return await self._hosts.unreachable(check, f"adapter {name}: {reference}", image, error)
        secrets = [secret.text for secret in source["imagePullSecrets"].items()]
        by_identity = self._identity is not None and self._identity.is_for(image.host)
        return adapter_verdict(name, reference, statuses, secrets if accounts else [], by_identity=by_identity)

    async def _accounts(self, namespace: str, name: str, image: ImageReference, source: Part) -> list[Account]:
        """Returns the accounts that the pod will try, in its order. Raises SecretMissing, DockerConfigError."""
        configs = []
        for part in source["imagePullSecrets"].items():
            secret = await self._cluster.get("Secret", part.text, namespace)
            if secret is None:
                message = f"adapter {name}: Secret {namespace}/{part.text} is missing"
                raise SecretMissing(f"{message}: create it with the registry's account")
            configs.append(DockerConfig.of_secret(part.text, secret, by_kubelet=False))
        return accounts_for(image, configs)

    async def _of_ours(self, kind: str) -> Check:
        async with self._lock:
            until, check = self._kept.get(kind, (0.0, None))
            if check is None or time.monotonic() > until:
                found = await asyncio.gather(*(self._pullable(image, [], ours=True) for image in self._own[kind]))
                check = all_of(CheckName.IMAGES_PULLABLE, found)
                kept_s = KEPT_WHEN_THERE_S if check.outcome == "passed" else KEPT_S
                self._kept[kind] = (time.monotonic() + kept_s, check)
            return check

    async def _of_template(self, namespace: str, pod: Part) -> Check:
        secrets = [secret["name"].text for secret in pod["imagePullSecrets"].items()]
        found = await asyncio.gather(*(self._cluster.get("Secret", name, namespace) for name in secrets))
        # The kubelet ignores a missing pull secret, and so does this check.
        configs = [
            DockerConfig.of_secret(name, secret, by_kubelet=True)
            for name, secret in zip(secrets, found, strict=True)
            if secret is not None
        ]
        images = dict.fromkeys(
            container["image"].text
            for kind in ("initContainers", "containers")
            for container in pod[kind].items()
            if container["image"].text
        )
        return all_of(
            CheckName.IMAGES_PULLABLE, await asyncio.gather(*(self._pullable(image, configs) for image in images))
        )

    async def _pullable(self, reference: str, configs: Sequence[DockerConfig], *, ours: bool = False) -> Check:
        name = CheckName.IMAGES_PULLABLE
        try:
            image = ImageReference.parse(reference)
        except ValueError as error:
            return Check(name=name, outcome="failed", reason="ImagePullError", message=f"image {reference!r}: {error}")
        try:
            # The kubelet pulls without identity tokens, and tries every account.
            accounts = accounts_for(image, configs, identity_tokens=False)
            statuses = await self._statuses(image, accounts)
            status = next((status for status in (OK, NOT_FOUND) if status in statuses), statuses[-1])
            return pull_verdict(reference, status, bool(accounts))
        except RegistryUnreachable as error:
            if ours:  # the operator has named them, and nodes may have mirrors of them
                return Check(name=name, outcome="unknown", message=f"{reference}: {error}")
            return await self._hosts.unreachable(name, reference, image, error, by_nodes=True)
        except DockerConfigError as error:
            return Check(name=name, outcome="unknown", message=f"{reference}: {error}")

    async def _statuses(self, image: ImageReference, accounts: Sequence[Account]) -> list[int]:
        """Returns the registry's response to each account, or to a pull without one if there is none. All are tried
        concurrently, so that they take no longer than one."""
        tried: list[Account | None] = [*accounts] or [None]
        return await asyncio.gather(*(self._registries.manifest(image, account) for account in tried))
