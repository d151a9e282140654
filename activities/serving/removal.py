"""Deletes the objects of a workload: what the last apply has made under its uid, the rest if it is this Workspace's.

`workloads.py` makes them, and waits until their pods are gone.
"""

import asyncio
from collections.abc import Mapping

from activities.clients.kubernetes import Cluster, Object
from activities.clients.ownership import delete_ours
from activities.contract.payloads import WorkspaceKey
from activities.manifests.disruption_budget import BUDGET
from activities.manifests.older_policy_api import DisruptionBudgets
from api import names


def owned_names(key: WorkspaceKey) -> list[tuple[str, str]]:
    """(kind, name) of everything that is made for every Workspace, the Service first."""
    return [
        ("Service", names.service(key.name)),
        ("Deployment", names.workload(key.name)),
        ("ConfigMap", names.serve_config_map(key.name)),
    ]


def without_version(kind: str) -> str:
    """Returns the kind under which a uid is recorded: that of a budget is the same in every version."""
    return kind.partition("/")[0]


async def delete_objects(
    cluster: Cluster, budgets: DisruptionBudgets, key: WorkspaceKey, made: Mapping[str, str]
) -> None:
    """Deletes the Service first, so that no more requests come. `made`: uids by kind, as far as they are known."""

    async def delete(kind: str, name: str) -> Object | None:
        return await delete_ours(cluster, kind, name, key, uid=made.get(without_version(kind), ""))

    service, *others = owned_names(key)
    await delete(*service)
    deployment, *_ = await asyncio.gather(*(delete(*one) for one in others))
    if _may_have_budget(made, deployment):
        await delete(await budgets.kind(), names.disruption_budget(key.name))


def _may_have_budget(made: Mapping[str, str], deployment: Object | None) -> bool:
    """Whether the Deployment that was read has several replicas; if none was read, whether the last apply made a
    budget, or may have. One of before an edit to one replica allows every eviction, and goes with the Workspace."""
    if deployment is not None:
        return bool(deployment["spec"]["replicas"] > 1)
    return "Deployment" not in made or BUDGET in made
