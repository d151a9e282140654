"""Recognises what KAITO's controllers have made for a Workspace and left: it runs, and it keeps the GPUs.

Where a cluster is switched from KAITO in place, the Workspace owns a StatefulSet, a Deployment or a Job of its name
that this project did not make. Nothing may be adopted, bought or written beside it: a pass that fails gives back what
it holds, and with adopted NodeClaims the model would go that serves until then. Whether and when it ends is decided by
people; nothing here deletes it.
"""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from activities.clients.ownership import owned
from activities.contract.plan import Check, Plan
from api import labels
from api.preflight import CheckName

KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "preset": ("StatefulSet", "Deployment"),
    "template": ("Deployment",),
    "tuning": ("Job",),
}
"""By kind of plan: KAITO serves presets by StatefulSets, and did so by Deployments in earlier releases."""


async def left_by_kaito(cluster: Cluster, plan: Plan) -> Check | None:
    """Returns the failed check that says what to do; None where nothing is left. Raises ApiException."""
    kinds = KINDS[plan.kind]
    found = await asyncio.gather(*(_read(cluster, kind, plan) for kind in kinds))
    foreign = [kind for kind, item in zip(kinds, found, strict=True) if item is not None and _is_kaitos(item, plan)]
    if not foreign:
        return None
    namespace, name = plan.key.namespace, plan.key.name
    what = " and ".join(f"{kind} {namespace}/{name}" for kind in foreign)
    delete = "; ".join(f"kubectl delete {kind.lower()} {name} -n {namespace}" for kind in foreign)
    message = (
        f"{what} was made for this Workspace by KAITO, runs, and keeps its GPUs: nothing is touched while it is there. "
        f"To switch: {delete}, then set the annotation {labels.RETRY} to a new value"
    )
    return Check(name=CheckName.NOTHING_LEFT, outcome="failed", reason="OwnershipConflict", message=message)


async def _read(cluster: Cluster, kind: str, plan: Plan) -> Object | None:
    try:
        return await cluster.get(kind, plan.key.name, plan.key.namespace)
    except ApiException as error:
        if error.status != HTTPStatus.FORBIDDEN:  # roles of an earlier release, which a worker may meet in an upgrade
            raise
        return None


def _is_kaitos(found: Object, plan: Plan) -> bool:
    """The Workspace owns it, and it lacks what each of ours has."""
    return owned(found, plan.key) and labels.CONFIG_HASH not in (found["metadata"].get("annotations") or {})
