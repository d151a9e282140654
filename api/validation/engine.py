"""Validates a document by every rule: which rules run, in which order, and which problems an update may keep.

Accepts any JSON; a wrong type is a Problem and never an exception. What the plan refuses comes after the rules' own
problems, and only where no rule has said it already, in KAITO's words. An update is refused only for what it changes: a
problem that the stored object already has, with the same text, does not block it, nor does a change of metadata only.
An object being deleted is never refused, because a refusal would keep its finalizer and its nodes.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from api.validation import limits
from api.validation.checks import adapters, annotations, data, immutability, naming, placement, sections, selectors
from api.validation.checks.schema import RULE as SCHEMA
from api.validation.checks.schema import schema_problems
from api.validation.document import Draft, Part
from api.validation.problem import Problem
from api.validation.rules import reason_of

Rule = Callable[[Draft], Iterator[Problem]]
UpdateRule = Callable[[Draft, Draft], Iterator[Problem]]

RULES_OF_ONE: Final[tuple[Rule, ...]] = (
    naming.workspace_name,
    annotations.values,
    sections.one_purpose,
    placement.machine,
    placement.selector_is_there,
    placement.count,
    selectors.is_a_map,
    selectors.is_the_users_own,
    selectors.can_be_labels,
    selectors.are_not_ours,
    selectors.of_templates,
    placement.partition,
    sections.preset_or_template,
    sections.preset_names,
    sections.private_access,
    adapters.adapters,
    sections.tuning_parts,
    data.tuning_input,
    data.tuning_output,
    naming.referred_names,
)
RULES_OF_A_CHANGE: Final[tuple[UpdateRule, ...]] = (
    immutability.sections,
    immutability.resource,
    immutability.replicas,
    immutability.machine,
    immutability.provider,
    immutability.inference,
    immutability.tuning,
)
REPORTED_MAX: Final = 100
"""Problems reported for one document; nobody fixes more at a time."""


def unplanned(draft: Draft) -> Iterator[Problem]:
    """For who has no plan to ask."""
    return iter(())


def check_create(
    document: Any,
    *,
    provider: str | None,
    allowed_hosts: Collection[str],
    more: Sequence[Rule] = (),
    planned: Rule = unplanned,
) -> list[Problem]:
    """Every problem of a new document. `more` are rules that need more than the document, such as the catalogue's;
    `planned` is what the plan says."""
    if problem := limits.unreadable(document):
        return [problem]
    draft = Draft(document, provider, frozenset(allowed_hosts))
    found = _found(draft, more)
    return _without_echoes([*found, *_unsaid(found, _asked(planned, draft, found))])


def check_update(
    old: Any,
    new: Any,
    *,
    provider: str | None,
    allowed_hosts: Collection[str],
    more: Sequence[Rule] = (),
    planned: Rule = unplanned,
) -> list[Problem]:
    """Every problem that an update brings."""
    if Part("", new)["metadata"]["deletionTimestamp"].given:
        return []
    if problem := limits.unreadable(new):
        return [] if _same_spec(old, new) else [problem]
    after = Draft(new, provider, frozenset(allowed_hosts))
    if limits.unreadable(old):
        return check_create(new, provider=provider, allowed_hosts=allowed_hosts, more=more, planned=planned)
    before = Draft(old, provider, frozenset(allowed_hosts))
    after = replace(after, document={**new, "status": before.root["status"].value})  # a file has none
    if _checked_parts(before) == _checked_parts(after):
        return []
    changed = [problem for rule in RULES_OF_A_CHANGE for problem in rule(before, after)]
    stored, wanted = _found(before, more), _found(after, more)
    known = {_identity(problem, before) for problem in [*stored, *_asked(planned, before, stored)]}

    def brought(problems: Sequence[Problem]) -> list[Problem]:
        return [problem for problem in problems if _identity(problem, after) not in known]

    fresh = [*changed, *brought(wanted)]
    return _without_echoes([*fresh, *_unsaid(fresh, brought(_asked(planned, after, wanted)))])


def _asked(planned: Rule, draft: Draft, found: Sequence[Problem]) -> list[Problem]:
    """What the plan refuses; nothing of a document that cannot be read as a Workspace."""
    return [] if any(problem.rule == SCHEMA for problem in found) else list(planned(draft))


def _unsaid(found: Sequence[Problem], planned: Sequence[Problem]) -> list[Problem]:
    """Of the plan's problems those that no rule has found: each has a reason, and says it once."""
    said = {reason_of(problem) for problem in found}
    return [problem for problem in planned if reason_of(problem) not in said]


def _found(draft: Draft, more: Sequence[Rule]) -> list[Problem]:
    return [*schema_problems(draft), *(problem for rule in (*RULES_OF_ONE, *more) for problem in rule(draft))]


def _same_spec(old: Any, new: Any) -> bool:
    """For documents too large to validate: whether only metadata and status differ."""
    try:
        return all(
            Part("", old)[key].value == Part("", new)[key].value
            for key in {*Part("", old).mapping, *Part("", new).mapping} - {"metadata", "status", "apiVersion"}
        )
    except RecursionError:
        return False


def _checked_parts(draft: Draft) -> tuple[Any, ...]:
    """The parts that rules read. Includes the machine type: its default depends on the version."""
    spec = {key: value for key, value in draft.root.mapping.items() if key not in ("metadata", "status", "apiVersion")}
    return spec, annotations.checked(draft.metadata["annotations"].mapping), draft.instance_type


def _identity(problem: Problem, draft: Draft) -> tuple[Any, ...]:
    """The problem and the very value it is about: a message may hold a shortened one, or none."""
    value = draft.at(problem.path)
    return problem.rule, problem.path, problem.message, None if isinstance(value, Mapping | list) else value


def _without_echoes(found: Sequence[Problem]) -> list[Problem]:
    """Removes duplicates; drops a schema problem where a rule reports the same in KAITO's wording."""
    ruled = {problem.path for problem in found if problem.rule != SCHEMA}
    kept = [problem for problem in found if problem.rule != SCHEMA or problem.path not in ruled]
    return list(dict.fromkeys(problem.bounded() for problem in kept[:REPORTED_MAX]))
