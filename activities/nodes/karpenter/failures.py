"""Maps the conditions and events of a NodeClaim to reasons. What Azure's words in them mean is the table of
`errors/azure_codes.py`.

gpu-provisioner wraps every Azure error into reason LaunchFailed and retries for ever; Karpenter deletes a claim for
which there is no capacity and leaves an event. Both contain Azure's message.
"""

from dataclasses import dataclass
from typing import Final

from activities.clients.kubernetes import Object
from activities.errors.azure_codes import verdict_of
from activities.nodes.karpenter import node_claim

MESSAGE_MAX: Final = 700
_WAITING: Final = {"", "AwaitingReconciliation", "Launched", "NodeClassReadinessUnknown"}
"""Reasons of a condition that is not true yet, without a problem."""

_OWN_ROLE: Final = "Give the identity of gpu-provisioner or Karpenter the role that is named"
"""Instead of the remedy for our own identity."""


@dataclass(frozen=True)
class Problem:
    """Why a claim is not ready."""

    reason: str
    message: str


def problem_of(claim: Object) -> Problem | None:
    """What is wrong with a claim; None while it makes progress."""
    launched = node_claim.condition(claim, "Launched")
    if launched.get("status") != "True" and (launched.get("reason") or "") not in _WAITING:
        return problem_in(f"{launched['reason']}: {launched.get('message') or 'no message'}")
    registered = node_claim.condition(claim, "Registered")
    if registered.get("status") == "False":
        text = f"{registered.get('reason') or 'Registered is False'}: {registered.get('message') or 'no message'}"
        return Problem("NodeNotJoined", _shortened(text))
    return None


def withdrawn(events: list[Object]) -> Problem:
    """Why Karpenter deleted a claim of ours, as far as its events show. Newest last."""
    warnings = [event for event in events if event.get("type") == "Warning"]
    texts = [f"{event.get('reason') or 'Warning'}: {event.get('message') or 'no message'}" for event in warnings]
    if not texts:
        return Problem("AllocationFailed", "it was deleted, and no event gives the reason")
    problem = problem_in(texts[-1])
    return Problem("AllocationFailed", problem.message) if problem.reason == "PoolFailed" else problem


def problem_in(text: str) -> Problem:
    """The reason for a message of Azure's or Karpenter's; PoolFailed if the message is unknown."""
    known = verdict_of((), text)
    if known is None:
        return Problem("PoolFailed", _shortened(text))
    remedy = _OWN_ROLE if known.reason == "CloudForbidden" else known.remedy
    return Problem(known.reason, _shortened(text) + (f". {remedy}" if remedy else ""))


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MESSAGE_MAX else text[: MESSAGE_MAX - 1] + "…"
