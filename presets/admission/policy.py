"""Judges by the operator's policy what a Workspace buys, with prices of the installation's region.

What others have is not known here: the purchase itself is judged by that (`activities/nodes/allowance.py`). The rules
that need no price are `api/policy/rules.py`'s.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from api import labels
from api.policy.document import Policy
from api.policy.purchases import Purchase, refusals
from api.policy.rules import document_rules, namespace_of
from api.providers import PROVIDERS, Provider
from api.purchasing import PurchaseOption, price_limit, purchase_options, spot_price
from api.validation.document import Draft
from api.validation.engine import Rule
from api.validation.problem import Problem
from presets.admission.lookups import known_sku
from presets.machines.ceiling import node_ceiling

RULES: Final[Mapping[str, str]] = {
    "providers": "P1",
    "machineTypes": "P2",
    "nodes": "P3",
    "dollarsPerHour": "P4",
    "spotOnly": "P5",
}
"""The rule of each field of the policy that a purchase is judged by."""


def policy_rules(policy: Policy | None, region: str) -> tuple[Rule, ...]:
    """Every rule of the policy; none without one."""
    return () if policy is None else (partial(bought, policy, region), *document_rules(policy))


def bought(policy: Policy, region: str, draft: Draft) -> Iterator[Problem]:
    """P1 to P5: every way to get the nodes that the document lists, each by itself."""
    provider = next((known for known in PROVIDERS if known == draft.provider), None)
    if provider is None:
        return  # not known, or refused by M7
    options = list(_options(draft, provider))
    found = (
        (RULES[refusal.what], _path(refusal.what, option, options[0], draft), refusal.message)
        for option in options
        for refusal in refusals(policy, _purchase(option, provider, policy, region, draft))
    )
    for rule, path, message in dict.fromkeys(found):
        yield Problem(rule, path, message)


def _options(draft: Draft, provider: Provider) -> Iterator[PurchaseOption]:
    if provider == "byo":
        yield PurchaseOption("")
        return
    try:
        options = purchase_options(draft.instance_type, draft.metadata["annotations"].texts)
    except ValueError:  # M16 and M17 report the error
        options = (PurchaseOption(draft.instance_type),)
    for option in options:
        sku = known_sku(option.instance_type)
        if sku or (draft.kind == "template" and option.instance_type.strip()):  # C15 and M11 report others
            # What fulfils NodeClaims decides about spot itself.
            yield PurchaseOption(sku.name if sku else option.instance_type, option.spot and provider == "aks")


def _purchase(option: PurchaseOption, provider: Provider, policy: Policy, region: str, draft: Draft) -> Purchase:
    price: float | None = 0.0
    if provider != "byo":
        most = spot_price(_limit(draft), draft.replicas) if option.spot else -1.0
        price = node_ceiling(option.instance_type, region, given=policy.prices, spot_maximum=most)
    return Purchase(
        namespace=namespace_of(draft),
        name=draft.metadata["name"].text,
        provider=provider,
        machine=option.instance_type,
        nodes=max(draft.replicas, 0),
        node_dollars=price,
        spot=option.spot,
    )


def _limit(draft: Draft) -> float | None:
    try:
        return price_limit(draft.annotation(labels.MAX_PRICE_PER_HOUR).text)
    except ValueError:  # M15 reports it
        return None


def _path(what: str, option: PurchaseOption, first: PurchaseOption, draft: Draft) -> str:
    if what == "providers":
        given = draft.annotation(labels.NODE_PROVIDER)
        return given.path if given.given else "resource"
    if what == "spotOnly":
        return draft.annotation(labels.CAPACITY_TYPES).path
    if what == "nodes":
        given = draft.annotation(labels.REPLICAS)
        return draft.resource["count"].path if draft.kind == "template" and not given.given else given.path
    if option.instance_type == first.instance_type:
        return draft.resource["instanceType"].path
    return draft.annotation(labels.INSTANCE_TYPE_FALLBACKS).path
