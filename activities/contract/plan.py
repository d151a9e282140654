"""The planner's results for workflows: every option for a Workspace, and whether the running workload is still wanted.

Plans of one Workspace for two machines differ in few places, those for spot and on demand in fewer: `Planned` stores
each option as its differences from the one before. Activities that execute a plan get the `Plan` alone; the report is
for people.
"""

from collections.abc import Sequence
from itertools import pairwise

from pydantic import JsonValue

from activities.contract.differences import Differences, changed, differences
from activities.contract.payloads import Check, Payload, Plan, PlanRequest, PurchaseTerms
from presets.plan.document import PlanReport


class Option(Payload):
    """One way to get a Workspace's nodes, planned for its machine. `report` is the whole plan, for people; `refused` is
    why this option cannot be carried out at all, and then plan and report are another machine's."""

    plan: Plan
    report: PlanReport
    refused: Check | None = None


class Planned(Payload):
    """Every option, in the order in which they are tried: the first one, and each further one as its differences from
    the one before."""

    first: Option
    fallbacks: tuple[Differences, ...] = ()

    @classmethod
    def of(cls, options: Sequence[Option]) -> "Planned":
        """Requires at least one option."""
        documents = [_document(option) for option in options]
        return cls(
            first=options[0], fallbacks=tuple(differences(before, after) for before, after in pairwise(documents))
        )

    @property
    def options(self) -> list[Option]:
        """Every option in full."""
        documents = [_document(self.first)]
        for found in self.fallbacks:
            documents.append(changed(documents[-1], found))
        return [Option.model_validate(document) for document in documents]


class WantedRequest(PlanRequest):
    """Which Workspace, and the terms on which its nodes were bought."""

    terms: PurchaseTerms


class Wanted(Payload):
    """The digest of the workload that the Workspace wants now on the nodes it has; of its first option if these nodes
    match none of its options any more."""

    digest: str

    @classmethod
    def of(cls, options: Sequence[Option], terms: PurchaseTerms) -> "Wanted":
        """Requires at least one option."""
        held = (option.plan for option in options if option.plan.terms == terms)
        return cls(digest=next(held, options[0].plan).digest)


def _document(option: Option) -> JsonValue:
    """The option as JSON, as it is stored in a history."""
    return option.model_dump(mode="json", by_alias=True)
