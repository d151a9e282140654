"""Size: turns a Workspace into a Plan, or raises the reason why it cannot be carried out. Changes nothing.

The result is recorded in the workflow's history, so a later release of the catalogue never changes a running Workspace.
`presets.plan.planner` decides what is planned, and `options.py` makes a Plan of it. The activities here read the
Workspace and what it names: its ConfigMap (`config_maps.py`), the user's nodes (`byo_machine.py`), the hub's model.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from typing import Final

from temporalio.exceptions import ApplicationError

from activities.clients.kubernetes import Cluster, Object
from activities.contract import signatures
from activities.contract.failures import failure
from activities.contract.plan import Deadlines, Option, Plan, Planned, PlanRequest, Wanted, WantedRequest
from activities.nodes.provider import provider_of
from activities.planning.byo_machine import read_own_machine
from activities.planning.config_maps import read_config_map, shaping_text
from activities.planning.fallbacks import all_options
from activities.planning.options import plan_option
from activities.workspaces import Note, is_protected, read_ours
from api.policy.document import Policy
from api.policy.purchases import PolicySource
from api.providers import Provider
from api.resource.invalid import InvalidWorkspace
from api.resource.status import parse_status
from api.resource.workspace import Workspace
from api.validation.checks.sections import is_model_name
from api.validation.document import Part
from presets.admission.lookups import known_model
from presets.admission.templates import needs_of
from presets.machines.machine import Machine
from presets.models.catalog import Model
from presets.plan.context import PlanContext

RELEASE: Final = "1"
"""Part of the digest: raised when manifests change in a way that running workloads must follow."""

ReadFacts = Callable[[str, str, str], Awaitable[Model]]
"""Queries the hub for a model: namespace, repository, name of the Secret with its token (may be empty)."""


class Planner:
    """Reads a Workspace and plans it for one region's prices."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        location: str,
        deadlines: Deadlines,
        images: tuple[str, ...],
        data_image: str = "",
        provider: Provider = "aks",
        with_cloud: bool = True,
        read_facts: ReadFacts | None = None,
        note: Note = lambda found: None,
        policy: PolicySource = lambda: Policy(),
    ) -> None:
        self._cluster = cluster
        self._policy = policy
        self._location = location
        self._deadlines = deadlines
        self._images = images
        self._data_image = data_image
        self._provider = provider
        self._with_cloud = with_cloud
        self._read_facts = read_facts
        self._note = note

    @signatures.implements(signatures.BUILD_PLAN)
    async def build_plan(self, request: PlanRequest) -> Planned:
        """Plans the generation that the API server has now. Raises WorkspaceGone and every reason of class `fail` that
        can be known without querying a cloud."""
        found = await self._read(request)
        return Planned.of(await self._options(request, found), protected=is_protected(found["metadata"]))

    @signatures.implements(signatures.READ_WANTED)
    async def read_wanted(self, request: WantedRequest) -> Wanted:
        """Returns what is wanted now on the existing nodes. Raises what `build_plan` raises."""
        return Wanted.of(await self._options(request, await self._read(request)), request.terms)

    async def _read(self, key: PlanRequest) -> Object:
        found = await read_ours(self._cluster, key)
        if found is None or "deletionTimestamp" in found["metadata"]:
            raise failure("WorkspaceGone", f"Workspace {key.namespace}/{key.name} is gone or being deleted")
        self._note(found)
        return found

    async def _options(self, key: PlanRequest, found: Object) -> list[Option]:
        section = "tuning" if found.get("tuning") else "inference"
        named = Part("", found)[section]["config"].text
        provider = self._provider_of(found, key.held)
        machine = await self._own_machine(parsed(found)) if provider == "byo" else None
        config_maps: dict[str, Object] = {}
        if named:
            config_maps[named] = await read_config_map(self._cluster, key.namespace, named, f"{section}.config")
        around = PlanContext(
            region=self._location,
            provider=provider,
            config_maps=config_maps,
            model=await self._hub_model(key.namespace, found),
            machine=machine,
            policy=self._policy(),
        )
        first = plan_option(found, around, self._deadlines)
        remote_code = around.allows_remote_code(key.namespace)
        config = shaping_text(section, named, config_maps[named], remote_code) if named else ""
        digests = {"digest": digest_of(found, config, self._images_of(first.plan))}
        if first.plan.kind == "tuning":
            digests["training_digest"] = training_digest_of(found, config)
        first = first.model_copy(update={"plan": first.plan.model_copy(update=digests)})
        return all_options(first, found, lambda other: plan_option(other, around, self._deadlines))

    async def _own_machine(self, workspace: Workspace) -> Machine | None:
        """What the user's nodes are sized by; None for a template, for which nothing is sized: it is counted by what it
        asks for, wherever that is free. Raises NoMatchingNodes with the seconds for which the nodes may be waited
        for."""
        if needs_of(workspace):
            return None
        try:
            return await read_own_machine(self._cluster, workspace)
        except ApplicationError as error:
            if error.type != "NoMatchingNodes":
                raise
            raise failure("NoMatchingNodes", error.message, final=True, wait_s=self._deadlines.provision) from None

    def _images_of(self, plan: Plan) -> tuple[str, ...]:
        """The images of the workload's pods; a change of any other image does not replace them."""
        return (*self._images, self._data_image) if plan.adapters else self._images

    def _provider_of(self, found: Object, held: Provider | None) -> Provider:
        """Raises InvalidSpec for an unknown value, for a change, and for node pools without a worker that can buy
        them."""
        annotations = Part("", found)["metadata"]["annotations"].texts
        provider = provider_of(annotations, installed=self._provider, held=held or planned_before(found))
        if provider == "aks" and not self._with_cloud:
            message = "this installation has no worker for Azure, and the Workspace asks for node pools"
            raise failure(
                "InvalidSpec",
                f"{message}. Use karpenter or byo, or run `worker --queues cloud` and set MODELYARD_CLOUD_WORKER=true",
            )
        return provider

    async def _hub_model(self, namespace: str, found: Object) -> Model | None:
        """Reads the facts of a repository that is not in the catalogue. Raises the reasons of the hub's reader."""
        preset = Part("", found)["tuning" if found.get("tuning") else "inference"]["preset"]
        repo = preset["name"].text.strip()
        from_hub = "/" in repo and is_model_name(repo) and known_model(preset) is None
        if self._read_facts is None or not from_hub:
            return None
        return await self._read_facts(namespace, repo, preset["presetOptions"]["modelAccessSecret"].text)


def planned_before(found: Object) -> Provider | None:
    """The provider in the status, for a workflow that has no record of it."""
    plan = parse_status(Part("", found)["status"].mapping).plan
    return plan.provider if plan else None


def parsed(found: Object) -> Workspace:
    """Parses the Workspace. Raises InvalidSpec that lists every wrong field."""
    try:
        return Workspace.parse(found)
    except InvalidWorkspace as error:
        raise failure("InvalidSpec", str(error)) from None


def digest_of(found: Object, config: str, images: tuple[str, ...]) -> str:
    """16 hex digits over everything that shapes the pods, so that an edited ConfigMap or a new image rolls out."""
    shape = {key: found.get(key) for key in ("resource", "inference", "tuning")}
    text = json.dumps([RELEASE, shape, config, images], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def training_digest_of(found: Object, config: str) -> str:
    """16 hex digits over what shapes the adapter: pushing the same adapter elsewhere needs no new training."""
    tuning = {key: value for key, value in (found.get("tuning") or {}).items() if key != "output"}
    volume = ((found.get("tuning") or {}).get("output") or {}).get("volumeSource")
    text = json.dumps([tuning, volume, config], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
