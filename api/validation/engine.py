"""Validates a document by every rule: which rules run, in which order, and which problems an update may keep.

Accepts any JSON; a wrong type is a Problem and never an exception. An update is refused only for what it changes: a
problem that the stored object already has, with the same text, does not block it, nor does a change of metadata only.
An object being deleted is never refused, because a refusal would keep its finalizer and its nodes.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from api.validation import limits
from api.validation.checks import adapters, annotations, data, immutability, naming, placement, sections, selectors
from api.validation.checks.schema import RULE as SCHEMA
from api.validation.checks.schema import schema_problems
from api.validation.document import Draft, Part
from api.validation.problem import Problem

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
    immutability.machine,
    immutability.provider,
    immutability.inference,
    immutability.tuning,
)
REPORTED_MAX: Final = 100
"""Problems reported for one document; nobody fixes more at a time."""


def check_create(
    document: Any, *, provider: str | None, allowed_hosts: Collection[str], more: Sequence[Rule] = ()
) -> list[Problem]:
    """Every problem of a new document. `more` are rules that need more than the document, such as the catalogue's."""
    if problem := limits.unreadable(document):
        return [problem]
    return _without_echoes(_found(Draft(document, provider, frozenset(allowed_hosts)), more))


def check_update(
    old: Any, new: Any, *, provider: str | None, allowed_hosts: Collection[str], more: Sequence[Rule] = ()
) -> list[Problem]:
    """Every problem that an update brings."""
    if Part("", new)["metadata"]["deletionTimestamp"].given:
        return []
    if problem := limits.unreadable(new):
        return [] if _same_spec(old, new) else [problem]
    after = Draft(new, provider, frozenset(allowed_hosts))
    if limits.unreadable(old):
        return check_create(new, provider=provider, allowed_hosts=allowed_hosts, more=more)
    before = Draft(old, provider, frozenset(allowed_hosts))
    if _checked_parts(before) == _checked_parts(after):
        return []
    changed = [problem for rule in RULES_OF_A_CHANGE for problem in rule(before, after)]
    known = {_identity(problem, before) for problem in _found(before, more)}
    fresh = [problem for problem in _found(after, more) if _identity(problem, after) not in known]
    return _without_echoes([*changed, *fresh])


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
