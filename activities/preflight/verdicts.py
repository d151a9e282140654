"""Evaluates the responses of a registry, a cluster and a price list for a plan. Pure; workload.py makes the requests.

A refusal that may apply to us only, and not to the nodes, is `unknown`: a warning that stops nothing.
"""

from collections.abc import Sequence
from typing import Final

from activities.clients.kubernetes import Object
from activities.contract.plan import Check, Plan
from api.oci.docker_config import Account
from api.preflight import CheckName

DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"
OK, ACCEPTED, UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 200, 202, 401, 403, 404


def pull_verdict(reference: str, status: int, with_account: bool) -> Check:
    """Evaluates a registry's response to a HEAD, for a pull. Without an account a refusal may apply to us only: nodes
    have credentials of their own, such as those of an attached Azure registry."""
    name = CheckName.IMAGES_PULLABLE
    if status == OK:
        return Check(name=name, outcome="passed")
    if status == NOT_FOUND:
        message = f"{reference}: the registry has no such image. Correct the name or push it"
        return Check(name=name, outcome="failed", reason="ImagePullError", message=message)
    if status in (UNAUTHORIZED, FORBIDDEN) and with_account:
        message = (
            f"{reference}: the registry refused the account of the pull secret (HTTP {status}). Correct the Secret"
        )
        return Check(name=name, outcome="failed", reason="ImagePullError", message=message)
    why = (
        "requires credentials, which the nodes may have"
        if status in (UNAUTHORIZED, FORBIDDEN)
        else "gave no clear answer"
    )
    return Check(name=name, outcome="unknown", message=f"{reference}: the registry {why} (HTTP {status})")


def adapter_verdict(
    name: str, reference: str, statuses: Sequence[int], secrets: Sequence[str], *, by_identity: bool = False
) -> Check:
    """Evaluates the registry's responses, one for each account, for an adapter's pull. The pod has these Secrets and no
    other credentials, not even the node's, so a refusal is final; except with a workload identity (`by_identity`) and
    no Secrets, because only the pod holds that identity."""
    check, where = CheckName.IMAGES_PULLABLE, f"adapter {name}: {reference}"
    if OK in statuses:
        return Check(name=check, outcome="passed")
    if NOT_FOUND in statuses:
        message = f"{where}: the registry has no such image. Correct the name or push it"
        return Check(name=check, outcome="failed", reason="AdapterNotFound", message=message)
    refused = bool(statuses) and set(statuses) <= {UNAUTHORIZED, FORBIDDEN}
    if refused and by_identity and not secrets:
        return Check(
            name=check,
            outcome="unknown",
            message=f"{where}: not checked, because only the pod has its workload identity",
        )
    if refused:
        whom = f"the accounts of {', '.join(secrets)}" if secrets else "anonymous pulls"
        fix = "Correct a Secret" if secrets else "Name a Secret with credentials in imagePullSecrets"
        message = f"{where}: the registry refuses {whom} (HTTP {statuses[-1]}). {fix}"
        return Check(name=check, outcome="failed", reason="AdapterForbidden", message=message)
    return Check(name=check, outcome="unknown", message=f"{where}: the registry gave no clear answer ({statuses})")


def push_verdict(plan: Plan, status: int, account: Account | None) -> Check:
    """Evaluates a registry's response to an upload, for a push; the pod that pushes has exactly this Secret."""
    name = CheckName.OUTPUT_WRITABLE
    if status == ACCEPTED:
        return Check(name=name, outcome="passed")
    if status in (UNAUTHORIZED, FORBIDDEN, NOT_FOUND):
        who = f"the account of Secret {account.secret}" if account else "anonymous users"
        message = (
            f"{plan.output_image}: the registry refuses a push from {who} (HTTP {status}). "
            "Grant the right to push, or name another repository"
        )
        return Check(name=name, outcome="failed", reason="PushForbidden", message=message)
    return Check(
        name=name, outcome="unknown", message=f"{plan.output_image}: the registry gave no clear answer (HTTP {status})"
    )


def all_of(name: CheckName, found: Sequence[Check]) -> Check:
    """Merges several checks: failed if one failed, with every message."""
    for outcome in ("failed", "unknown"):
        worst = [check for check in found if check.outcome == outcome]
        if worst:
            return worst[0].model_copy(update={"message": "; ".join(check.message for check in worst)})
    return Check(name=name, outcome="passed")


def classes_there(wanted: Sequence[str], classes: Sequence[Object]) -> Check:
    """Whether each of the StorageClasses exists; an empty name requires a default one."""
    name = CheckName.STORAGE_CLASS
    existing = sorted(found["metadata"]["name"] for found in classes)
    defaults = [found for found in classes if (found["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"]
    missing = [f"StorageClass {one!r} does not exist" for one in wanted if one and one not in existing]
    if "" in wanted and not defaults:
        missing.append("no StorageClass is the default, and a volume names none")
    if not missing:
        return Check(name=name, outcome="passed")
    message = f"{'; '.join(missing)}. The cluster has: {', '.join(existing) or 'none'}"
    return Check(name=name, outcome="failed", reason="StorageClassMissing", message=message)


def within_price(plan: Plan) -> Check:
    """Compares the list price of all nodes with the Workspace's maximum; dollars per hour."""
    name, most, price = CheckName.PRICE_LIMIT, plan.max_price_per_hour, plan.price_per_hour
    what = f"{plan.node_count} x {plan.instance_type}"
    if most is None:
        return Check(name=name, outcome="passed")
    if plan.spot:
        return Check(name=name, outcome="passed", message=f"spot: Azure evicts {what} above ${most:.2f} per hour")
    if price is None:
        return Check(
            name=name, outcome="unknown", message=f"no list price of {what} is known, at most ${most:.2f} is allowed"
        )
    if price <= most:
        return Check(name=name, outcome="passed")
    message = f"{what} cost ${price:.2f} per hour, at most ${most:.2f} is allowed. Raise the limit or buy less"
    return Check(name=name, outcome="failed", reason="PriceAboveLimit", message=message)
