"""Checks that need the cluster or a registry, and no cloud: images, the output's registry, StorageClasses, the price.

All run concurrently, one result each; images are in `images.py`. Fails open: an unreachable registry is `unknown`,
because the nodes may reach it and have credentials of their own; a host whose name does not exist fails (`hosts.py`).
verdicts.py evaluates responses.
"""

import asyncio
from collections.abc import Mapping, Sequence

from activities.clients.host_names import HostNames
from activities.clients.kubernetes import Cluster
from activities.clients.registry import Registries, RegistryUnreachable
from activities.contract import signatures
from activities.contract.plan import Check, Plan, Preflight
from activities.preflight.gpus import GpuOffers
from activities.preflight.hosts import Hosts
from activities.preflight.images import Images
from activities.preflight.kaito import check_kaito
from activities.preflight.namespaces import NamespaceRights
from activities.preflight.verdicts import classes_there, push_verdict, within_price
from activities.workspaces import read_existing, read_ours
from api.oci.docker_config import DockerConfig, accounts_for
from api.oci.image_reference import ImageReference
from api.pods.registries import AzureIdentity
from api.preflight import CheckName
from api.validation.document import Part
from presets.plan.checks import storage_classes


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
        self._images = Images(cluster, own_images, registries, self._hosts, identity)
        self._cluster = cluster
        self._registries = registries
        self._tuning_class = tuning_class
        self._rights = rights
        self._gpus = gpus

    @signatures.implements(signatures.READ_WORKLOAD_PREFLIGHT)
    async def read_workload_preflight(self, plan: Plan) -> Preflight:
        """Returns failed checks as results. Raises WorkspaceGone, ApiServerRefused where the namespace does not take
        part, and errors of the API server."""
        if self._rights is not None:
            await self._rights.require(plan.key.namespace)
        written = await self._workspace(plan) if plan.kind == "template" or plan.adapters else None
        pod = written["inference"]["template"]["spec"] if written and plan.kind == "template" else None
        checks = [self._images.check(plan, written)]
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
