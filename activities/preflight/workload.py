"""Checks that need the cluster or a registry, and no cloud: images, the output's registry, StorageClasses, the price.

All run concurrently, one result each. Fails open: an unreachable registry is `unknown`, because the nodes may reach it
and have credentials of their own; a host whose name does not exist fails (`hosts.py`). verdicts.py evaluates responses.
"""

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Final

from activities.clients.host_names import HostNames
from activities.clients.kubernetes import Cluster
from activities.clients.registry import Registries, RegistryUnreachable
from activities.contract import signatures
from activities.contract.plan import Check, Plan, Preflight
from activities.preflight.gpus import GpuOffers
from activities.preflight.hosts import Hosts
from activities.preflight.kaito import check_kaito
from activities.preflight.namespaces import NamespaceRights
from activities.preflight.verdicts import (
    NOT_FOUND,
    OK,
    adapter_verdict,
    all_of,
    classes_there,
    pull_verdict,
    push_verdict,
    within_price,
)
from activities.workspaces import read_existing, read_ours
from api.oci.docker_config import Account, DockerConfig, DockerConfigError, accounts_for
from api.oci.image_reference import ImageReference
from api.pods.registries import AzureIdentity
from api.preflight import CheckName
from api.validation.document import Part
from presets.plan.checks import storage_classes

WITH_ADAPTERS: Final = "preset with adapters"
KEPT_S: Final = 30.0
"""The result for our own images is reused for all Workspaces that are checked within this time."""
KEPT_WHEN_THERE_S: Final = 600.0
"""The same for images that exist: an edit need not wait for a registry each time."""


class SecretMissing(Exception):
    """A Secret that only our own program would read does not exist; unlike a missing image pull secret, this fails."""


class WorkloadPreflight:
    """`own_images` are those of our pods, by kind of plan, and those with adapters; `tuning_class` is the StorageClass
    of a training's volume, empty for the default one; `identity` pulls adapters for which no Secret is named;
    `rights` asks whether the namespace takes part, `gpus` whether the cluster offers GPUs. Read-only in the cluster
    and in registries."""

    def __init__(
        self,
        cluster: Cluster,
        own_images: Mapping[str, Sequence[str]],
        registries: Registries,
        tuning_class: str = "",
        identity: AzureIdentity | None = None,
        rights: NamespaceRights | None = None,
        names: HostNames | None = None,
        gpus: GpuOffers | None = None,
    ) -> None:
        self._hosts = Hosts(names or HostNames())
        self._cluster = cluster
        self._own_images = own_images
        self._registries = registries
        self._tuning_class = tuning_class
        self._identity = identity
        self._rights = rights
        self._gpus = gpus
        self._own: dict[str, tuple[float, Check]] = {}
        self._own_lock = asyncio.Lock()

    @signatures.implements(signatures.READ_WORKLOAD_PREFLIGHT)
    async def read_workload_preflight(self, plan: Plan) -> Preflight:
        """Returns failed checks as results. Raises WorkspaceGone, ApiServerRefused where the namespace does not take
        part, and errors of the API server."""
        if self._rights is not None:
            await self._rights.require(plan.key.namespace)
        written = await self._workspace(plan) if plan.kind == "template" or plan.adapters else None
        pod = written["inference"]["template"]["spec"] if written and plan.kind == "template" else None
        kind = WITH_ADAPTERS if plan.adapters else plan.kind
        images = self._own_images_checked(kind) if pod is None else self._images(plan.key.namespace, pod)
        if written and plan.adapters:
            images = self._with_adapters(images, plan, written)
        checks = [images]
        if plan.output_image:
            checks.append(self._output(plan))
        if plan.from_kaito:
            checks.append(check_kaito(self._cluster, plan))
        if plan.kind == "tuning":
            checks.append(self._data(plan))
        wanted = storage_classes(pod) if pod is not None else [self._tuning_class] if plan.volume_gib else []
        if wanted:
            checks.append(self._storage(wanted))
        offered, *found = await asyncio.gather(self._gpus_offered(plan), *checks)
        return Preflight(checks=[within_price(plan), *([offered] if offered else []), *found])

    async def _gpus_offered(self, plan: Plan) -> Check | None:
        return await self._gpus.check(plan) if self._gpus else None

    async def _workspace(self, plan: Plan) -> Part:
        return Part("", await read_existing(self._cluster, plan.key))

    async def _with_adapters(self, images: Awaitable[Check], plan: Plan, written: Part) -> Check:
        """Merges the checks of our own images and of the adapters' into one."""
        sources = [adapter["source"] for adapter in written["inference"]["adapters"].items()]
        wanted = [source for source in sources if source["image"].text and source["name"].text in plan.adapters]
        found = await asyncio.gather(
            images,
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

    async def _own_images_checked(self, kind: str) -> Check:
        async with self._own_lock:
            until, check = self._own.get(kind, (0.0, None))
            if check is None or time.monotonic() > until:
                found = await asyncio.gather(
                    *(self._pullable(image, [], ours=True) for image in self._own_images[kind])
                )
                check = all_of(CheckName.IMAGES_PULLABLE, found)
                kept_s = KEPT_WHEN_THERE_S if check.outcome == "passed" else KEPT_S
                self._own[kind] = (time.monotonic() + kept_s, check)
            return check

    async def _images(self, namespace: str, pod: Part) -> Check:
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

    async def _output(self, plan: Plan) -> Check:
        """Whether the result may be pushed: a run of hours must not end in a registry's refusal."""
        name, namespace = CheckName.OUTPUT_WRITABLE, plan.key.namespace
        secret = await self._cluster.get("Secret", plan.output_secret, namespace) if plan.output_secret else None
        if plan.output_secret and secret is None:
            message = f"Secret {namespace}/{plan.output_secret} is missing: create it with the registry's account"
            return Check(name=name, outcome="failed", reason="SecretNotFound", message=message)
        try:
            image = ImageReference.parse(plan.output_image)
            configs = [DockerConfig.of_secret(plan.output_secret, secret, by_kubelet=False)] if secret else []
            account = next(iter(accounts_for(image, configs)), None)
        except ValueError as error:
            message = f"output {plan.output_image}: {error}"
            return Check(name=name, outcome="failed", reason="PushForbidden", message=message)
        try:
            return push_verdict(plan, await self._registries.push(image, account), account)
        except RegistryUnreachable as error:
            return await self._hosts.unreachable(name, plan.output_image, image, error)

    async def _data(self, plan: Plan) -> Check:
        found = await read_ours(self._cluster, plan.key)
        return await self._hosts.of_data(Part("", found or {})["tuning"]["input"])

    async def _storage(self, wanted: Sequence[str]) -> Check:
        classes, _ = await self._cluster.list_all("StorageClass")
        return classes_there(wanted, classes)
