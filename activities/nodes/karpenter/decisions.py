"""Decides what to do about the NodeClaims of a Workspace, from those that exist. Pure; provider.py executes it.

Exactly as many as the plan wants: matching ones are kept or adopted, the rest deleted, missing ones created under the
first free names. A claim that is being deleted is neither counted nor waited for.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from activities.clients.kubernetes import Object
from activities.contract.failures import class_of, failure
from activities.contract.plan import Plan
from activities.nodes.karpenter import node_claim
from activities.nodes.karpenter.failures import Problem, problem_of
from api.reasons import FailureClass


@dataclass(frozen=True)
class Decision:
    """`kept` serve the plan, `adopt` are those of them that lack our uid, `leaving` are being deleted."""

    create: list[str]
    adopt: list[Object]
    delete: list[Object]
    kept: list[Object]
    leaving: list[Object]

    @property
    def ready(self) -> list[Object]:
        """The kept claims whose nodes are ready."""
        return [claim for claim in self.kept if node_claim.is_ready(claim)]


def decide(claims: Mapping[str, Object], plan: Plan, under_way: Set[str] = frozenset()) -> Decision:
    """`under_way` are names that were just created and are not in `claims` yet."""
    ours = [claim for claim in claims.values() if node_claim.belongs_to(claim, plan.key)]
    leaving = [claim for claim in ours if node_claim.is_deleting(claim)]
    staying = [claim for claim in ours if not node_claim.is_deleting(claim)]
    fitting = sorted((claim for claim in staying if _fits(claim, plan)), key=_best_first)
    kept = fitting[: plan.node_count]
    unseen = under_way - claims.keys()
    missing = max(0, plan.node_count - len(kept) - len(unseen))
    return Decision(
        create=_free_names(plan, claims.keys() | unseen, missing),
        adopt=[claim for claim in kept if not node_claim.is_adopted(claim)],
        delete=[claim for claim in staying if claim not in kept],
        kept=kept,
        leaving=leaving,
    )


def _fits(claim: Object, plan: Plan) -> bool:
    """Ignores case: Azure varies it in SKU names."""
    return node_claim.instance_type_of(claim).lower() == plan.instance_type.lower()


def _best_first(claim: Object) -> tuple[int, str]:
    return -node_claim.stages_passed(claim), claim["metadata"]["name"]


def _free_names(plan: Plan, taken: Set[str], count: int) -> list[str]:
    every = (node_claim.claim_name(plan.key.uid, index) for index in range(node_claim.NODES_MAX))
    return [name for name in every if name not in taken][:count]


@dataclass
class Attempt:
    """State of one attempt between two events: which claims it created, and since when a claim has a problem.

    `patience`: gpu-provisioner retries a launch by itself at least once a minute, so a transient problem counts only if
    it outlasts such a retry.
    """

    patience: timedelta
    under_way: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    _since: dict[str, datetime] = field(default_factory=dict)

    def withdrawn(self, claims: Mapping[str, Object]) -> list[str]:
        """Claims of this attempt that are being deleted or gone, but not by us: Karpenter deletes a claim for which it
        finds no capacity."""
        self.seen |= claims.keys() & self.under_way
        self.under_way -= claims.keys()
        lost = {name for name in self.seen if name not in claims or node_claim.is_deleting(claims[name])}
        self.seen -= lost
        return sorted(lost)

    def forget(self, name: str) -> None:
        """Records that this claim was deleted by us."""
        self.seen.discard(name)

    def judge(self, decision: Decision, plan: Plan, now: datetime) -> None:
        """Raises the reason of a claim's problem: at once if waiting cannot fix it, else after the patience."""
        problems = {claim["metadata"]["name"]: found for claim in decision.kept if (found := problem_of(claim))}
        self._since = {name: self._since.get(name, now) for name in problems}
        for name, problem in problems.items():
            # A machine that is being deleted still uses quota, so a refusal of its successor is not final.
            final = class_of(problem.reason) is FailureClass.FAIL and not decision.leaving
            if final or now - self._since[name] >= self.patience:
                raise failure_of(problem, name, decision, plan)

    def look_again_at(self, deadline: datetime) -> datetime:
        """When the next patience ends, or the deadline."""
        return min([deadline, *(since + self.patience for since in self._since.values())])


def failure_of(problem: Problem, name: str, decision: Decision, plan: Plan) -> Exception:
    """Returns the failure, with numbers first."""
    numbers = f"{len(decision.ready)} of {plan.node_count} {plan.instance_type} are ready"
    return failure(problem.reason, f"{numbers}; NodeClaim {name}: {problem.message}")


def too_late(decision: Decision, plan: Plan) -> Exception:
    """Why the gang is not complete at the deadline: the earliest missing stage is the reason."""
    states = "; ".join(map(node_claim.state_of, decision.kept + decision.leaving)) or "no NodeClaim exists"
    minutes = f"{plan.deadlines.provision / 60:.0f} min"
    message = f"{len(decision.ready)} of {plan.node_count} NodeClaims are ready after {minutes}: {states}"
    waiting = [claim for claim in decision.kept if not node_claim.is_ready(claim)]
    problem = next(filter(None, map(problem_of, waiting)), None)
    if problem is not None:
        return failure(problem.reason, message, final=True)
    launched = bool(waiting) and all(node_claim.stages_passed(claim) > 0 for claim in waiting)
    message += "" if launched else ". Check that gpu-provisioner or Karpenter runs, and read its log"
    return failure("NodeNotJoined" if launched else "AllocationFailed", message, final=True)
