"""What the planner tells workflows: every way to carry a Workspace out, and whether what runs is still what is wanted.

Plans of one Workspace for two machines differ in few places, those for spot and on demand in fewer: `Planned` writes
each way as what it has otherwise than the one before it. Activities that carry out get the `Plan` alone; the report is
for people.
"""

from collections.abc import Sequence
from itertools import pairwise

from pydantic import JsonValue

from activities.contract.differences import Differences, changed, differences
from activities.contract.payloads import Check, Payload, Plan, PlanRequest, PurchaseTerms
from presets.plan.document import PlanReport


class Option(Payload):
    """One way to get a Workspace's nodes, planned for its machine. `report` is the whole of what was planned, for
    people; `refused` says why this way cannot be carried out at all, and then plan and report are another machine's."""

    plan: Plan
    report: PlanReport
    refused: Check | None = None


class Planned(Payload):
    """Every way, in the order in which they are tried: the first one, and for each that follows what it has otherwise
    than the one before."""

    first: Option
    fallbacks: tuple[Differences, ...] = ()

    @classmethod
    def of(cls, options: Sequence[Option]) -> "Planned":
        """Of one option or more."""
        documents = [_document(option) for option in options]
        return cls(
            first=options[0], fallbacks=tuple(differences(before, after) for before, after in pairwise(documents))
        )

    @property
    def options(self) -> list[Option]:
        """Every way, whole."""
        documents = [_document(self.first)]
        for found in self.fallbacks:
            documents.append(changed(documents[-1], found))
        return [Option.model_validate(document) for document in documents]


class WantedRequest(PlanRequest):
    """Which Workspace, and on which terms its nodes were bought."""

    terms: PurchaseTerms


class Wanted(Payload):
    """The digest of the workload that the Workspace wants now on the nodes it has; of its first option where these are
    none of its options any more."""

    digest: str

    @classmethod
    def of(cls, options: Sequence[Option], terms: PurchaseTerms) -> "Wanted":
        """Of one option or more."""
        held = (option.plan for option in options if option.plan.terms == terms)
        return cls(digest=next(held, options[0].plan).digest)


def _document(option: Option) -> JsonValue:
    """As it stands in a history."""
    return option.model_dump(mode="json", by_alias=True)
