"""Judges a purchase by the policy: what is asked for, beside what the namespace and all namespaces have.

Admission and the planner know of nothing else that is there and judge the purchase alone; whoever is about to buy
passes what the cloud's or the cluster's own list has. Where prices come from is left to the caller.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from api.policy.document import UNLIMITED, Dollars, Installation, Nodes, Policy, Rules, matches
from api.providers import Provider

CENT: Final = 0.005
"""Sums of prices are compared to the cent."""
LISTED: Final = 5
PolicySource = Callable[[], Policy]
"""Returns the policy that holds now."""


@dataclass(frozen=True)
class Purchase:
    """Nodes of one Workspace that are asked for or there. `node_dollars` is US dollars an hour for one of them; None if
    its price is not known, 0 for nodes that are not bought. `under_way`: they are being bought now; `leaving`: they are
    being given back."""

    namespace: str
    name: str
    provider: Provider
    machine: str
    nodes: int
    node_dollars: float | None
    spot: bool = False
    under_way: bool = False
    leaving: bool = False

    @property
    def dollars(self) -> float:
        """US dollars an hour of all its nodes, 0 if the price is not known."""
        return (self.node_dollars or 0.0) * self.nodes

    def __str__(self) -> str:
        return f"{self.nodes} x {self.machine or 'own node'}{' as spot' if self.spot else ''}"


@dataclass(frozen=True)
class Refusal:
    """`what` is the field of the policy that refuses, `message` the limit, the use, and who to ask."""

    what: str
    message: str


def refusals(policy: Policy, wanted: Purchase, others: Sequence[Purchase] = ()) -> Iterator[Refusal]:
    """Yields every reason against a purchase; `others` are those of all other Workspaces."""
    rules = policy.rules_of(wanted.namespace)
    ask = f". Ask {policy.contact}"
    where = f"namespace {wanted.namespace}"
    for what, message in _kinds(policy, rules, wanted, where):
        yield Refusal(what, message + ask)
    own = [other for other in others if other.namespace == wanted.namespace]
    for bounds, there, who in ((rules, own, where), (policy.installation, others, "all namespaces together")):
        for what, message in _amounts(bounds, wanted, there, who):
            yield Refusal(what, message + ask)


def refusal(policy: Policy, wanted: Purchase, others: Sequence[Purchase] = ()) -> str:
    """All reasons against a purchase in one text; empty if there is none."""
    return "; ".join(found.message for found in refusals(policy, wanted, others))


def has_amounts(policy: Policy, namespace: str) -> bool:
    """Whether what others have matters to a purchase of this namespace."""
    bounds = (policy.rules_of(namespace), policy.installation)
    return any(bound.nodes != UNLIMITED or bound.dollars_per_hour != UNLIMITED for bound in bounds)


def _kinds(policy: Policy, rules: Rules, wanted: Purchase, where: str) -> Iterator[tuple[str, str]]:
    if wanted.provider not in rules.providers:
        yield "providers", f"{where} may have nodes from {_or(rules.providers)}, not from {wanted.provider}"
    if wanted.provider == "byo":
        return
    for patterns, who in ((rules.machine_types, where), (policy.installation.machine_types, "this installation")):
        if not matches(wanted.machine, patterns):
            yield "machineTypes", f"{who} may buy {_or(patterns)}, not {wanted.machine}"
            break
    if rules.spot_only and not wanted.spot:
        instead = "as spot (modelyard.dev/capacity-types: spot)" if wanted.provider == "aks" else "from aks as spot"
        yield "spotOnly", f"{where} may buy spot machines only: ask for {wanted.machine} {instead}"


def _amounts(
    bounds: Rules | Installation, wanted: Purchase, others: Sequence[Purchase], who: str
) -> Iterator[tuple[str, str]]:
    has = f"{who} may have"
    # A tenant is told of its own nodes only.
    named = others if isinstance(bounds, Rules) else ()
    used = sum(other.nodes for other in others)
    if _over(used + wanted.nodes, bounds.nodes):
        use = _use(str(used), named)
        yield "nodes", f"{has} {bounds.nodes} nodes at a time, {use}, and this asks for {wanted}"
    if wanted.provider == "byo" or bounds.dollars_per_hour == UNLIMITED:
        return
    if unknown := next((each for each in (wanted, *others) if each.node_dollars is None), None):
        yield "dollarsPerHour", _without_price(f"{has} nodes for ${bounds.dollars_per_hour:.2f} an hour", unknown)
        return
    spent = sum(other.dollars for other in others)
    if _over(spent + wanted.dollars - CENT, bounds.dollars_per_hour):
        use = _use(f"${spent:.2f}", named)
        limit = f"{has} nodes for ${bounds.dollars_per_hour:.2f} an hour"
        yield "dollarsPerHour", f"{limit}, {use}, and {wanted} cost ${wanted.dollars:.2f}"


def _over(amount: float, bound: Nodes | Dollars) -> bool:
    return not isinstance(bound, str) and amount > bound


def _without_price(limit: str, unknown: Purchase) -> str:
    return f"{limit}, and the price of {unknown.machine} is not known here: it can be added to the policy's prices"


def _use(amount: str, named: Sequence[Purchase]) -> str:
    """What is there; of the purchases that may be named also which."""
    if not named:
        return f"has {amount}"
    leaving = sum(each.nodes for each in named if each.leaving)
    going = f", of which {leaving} are being released" if leaving else ""
    return f"has {amount} ({_named(named)}{going})"


def _named(others: Sequence[Purchase]) -> str:
    """By kind of machine."""
    kinds: dict[tuple[str, bool], Purchase] = {}
    for other in others:
        kind = (other.machine.lower(), other.spot)
        before = kinds[kind].nodes if kind in kinds else 0
        kinds[kind] = replace(other, nodes=other.nodes + before)
    shown = ", ".join(str(found) for found in list(kinds.values())[:LISTED])
    return shown + (f" and {len(kinds) - LISTED} more kinds" if len(kinds) > LISTED else "")


def _or(words: Sequence[str]) -> str:
    return " or ".join(words) or "nobody"
