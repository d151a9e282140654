"""Whether KAITO's workload or nodes of a Workspace are still there: then nothing is made, bought or adopted, so that a
running model stays until somebody decides that it may stop.

Only Workspaces that KAITO has reconciled are asked about; `plan.from_kaito` says so. docs/migrate-from-kaito.md says
how each is handed over. What belongs to no Workspace is not looked at.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from activities.clients.kubernetes import Cluster, Object
from activities.clients.ownership import owned
from activities.contract.plan import Check, Plan
from activities.nodes.karpenter.claims import Claims
from activities.nodes.karpenter.kaito_pools import pools_of
from activities.nodes.karpenter.node_claim import NodeClass, is_adopted
from api import labels
from api.preflight import CheckName

WORKLOADS: Final = ("StatefulSet", "Deployment", "Job")
"""What KAITO makes under the Workspace's name: for a preset, a template and a training."""


async def check_kaito(cluster: Cluster, plan: Plan) -> Check:
    """Reads the workload of the Workspace's name, NodePools and NodeClaims. Raises errors of the API server."""
    key = plan.key
    workloads, pools, claims = await asyncio.gather(
        asyncio.gather(*(cluster.get(kind, key.name, key.namespace) for kind in WORKLOADS)),
        pools_of(cluster, key),
        Claims(cluster, NodeClass()).listed(key),
    )
    found = [
        (kind, one["metadata"]["name"])
        for kind, one in zip(WORKLOADS, workloads, strict=True)
        if one is not None and owned(one, key) and _is_kaitos(one)
    ]
    found += [("NodePool", pool["metadata"]["name"]) for pool in pools]
    if plan.provider != "karpenter":  # which adopts them
        found += [("NodeClaim", claim["metadata"]["name"]) for claim in claims if not is_adopted(claim)]
    return verdict(found, plan)


def verdict(found: Sequence[tuple[str, str]], plan: Plan) -> Check:
    """Returns the check's result for what was found, as (kind, name)."""
    name, key = CheckName.NOTHING_OF_KAITO, plan.key
    if not found:
        return Check(name=name, outcome="passed")
    there = ", ".join(f"{kind} {one}" for kind, one in found)
    commands = [_command(kind, one, key.namespace) for kind, one in found]
    again = f"kubectl annotate workspace {key.name} -n {key.namespace} {labels.RETRY}=1 --overwrite"
    message = (
        f"KAITO's {there} of this Workspace is left alone and goes on. To hand the Workspace over, when requests may "
        f"pause: {'; '.join([*commands, again])}"
    )
    return Check(name=name, outcome="failed", reason="ServedByKaito", message=message)


def _is_kaitos(found: Object) -> bool:
    """Ours carry the Workspace's uid as a label. One that is being deleted counts until its pods are gone."""
    return labels.WORKSPACE_UID not in (found["metadata"].get("labels") or {})


def _command(kind: str, name: str, namespace: str) -> str:
    place = f" -n {namespace}" if kind in WORKLOADS else ""
    foreground = " --cascade=foreground" if kind in WORKLOADS else ""
    return f"kubectl delete {kind.lower()} {name}{place}{foreground}"
