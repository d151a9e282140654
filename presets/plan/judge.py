"""The one judge of a Workspace: the admission rules, then the plan.

The webhook, `modelyard validate`, `modelyard plan`, the admin endpoint and the planner ask it with what they know, so
that what one of them refuses all refuse, for the same reason in the same words. No I/O: what must be looked up (a
repository of the hub, a Secret, your own nodes) is asked by the preflight, before nodes are bought.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypedDict, Unpack

from api.policy.document import Policy
from api.providers import PROVIDERS, Provider
from api.resource.invalid import InvalidWorkspace
from api.resource.workspace import Workspace
from api.validation import limits, taken
from api.validation.document import Draft, Part
from api.validation.engine import check_create, check_update
from api.validation.problem import Problem
from api.validation.rules import reason_of
from presets.admission.config_maps import ConfigMaps, config_notes
from presets.admission.lookups import known_model, known_sku
from presets.admission.rules import memory_rule, passed_over, rules
from presets.plan.context import DEFAULT_REGION, PlanContext
from presets.plan.document import Finding, PlanReport
from presets.plan.notes import of_template
from presets.plan.planner import plan_workspace

DEFAULT_PROVIDER: Final[Provider] = "aks"
RULE: Final = "M14"
"""The rule of all that the plan refuses, and no rule before it."""


class Known(TypedDict, total=False):
    """What whoever asks knows. Nothing is refused by what is left out."""

    provider: str
    """The installation's: aks (if left out), karpenter or byo."""
    allowed_hosts: Collection[str]
    """Hosts that URLs may name whatever their address."""
    config_maps: ConfigMaps | None
    """Those of the Workspace's namespace by name; without them their content is not validated."""
    policy: Policy | None
    """The operator's."""
    region: str
    """Has the prices that the policy limits, the highest of all where it is empty."""


def problems_on_create(document: Any, **known: Unpack[Known]) -> list[Problem]:
    """Returns every problem of a new Workspace. Accepts any JSON and never raises."""
    return _found_by(check_create, document, **known)


def problems_on_update(old: Any, new: Any, **known: Unpack[Known]) -> list[Problem]:
    """Returns every problem of replacing `old` by `new`; empty if the object is being deleted."""
    return _found_by(check_update, old, new, **known)


def plan_document(document: Any, context: PlanContext) -> PlanReport:
    """The plan of a Workspace from a file or the cluster, whose `errors` are all that is refused. Accepts any JSON and
    never raises."""
    if problem := limits.unreadable(document):
        return _unplanned(Part("", document)["metadata"], context, _findings([problem]))
    context = replace(context, provider=provider_of(document, context.provider))
    report = _report(Draft(document, context.provider), context)
    problems = check_create(
        document,
        provider=context.provider,
        allowed_hosts=(),
        more=rules(context.config_maps, context.policy, context.region),
        planned=lambda draft: _refused(report, draft),
    )
    told = notes(document, provider=context.provider, config_maps=context.config_maps, policy=context.policy)
    said = {(warning.path, warning.message) for warning in report.warnings}
    warnings = [Finding(reason="Note", path=note.path, message=note.message) for note in told]
    new = [warning for warning in warnings if (warning.path, warning.message) not in said]
    return report.model_copy(update={"errors": _findings(problems), "warnings": (*new, *report.warnings)})


def _report(draft: Draft, context: PlanContext) -> PlanReport:
    """The plan; nothing but names of a document that is no Workspace: the rules tell all that is wrong with it."""
    try:
        return plan_workspace(Workspace.parse(draft.root.value), context)
    except InvalidWorkspace as error:
        return _unplanned(draft.metadata, context, (Finding(reason="InvalidSpec", message=str(error)),))


def _unplanned(metadata: Part, context: PlanContext, errors: tuple[Finding, ...]) -> PlanReport:
    return PlanReport(
        namespace=metadata["namespace"].text or "default",
        name=metadata["name"].text,
        provider=context.provider,
        region=context.region,
        errors=errors,
    )


def _findings(problems: Sequence[Problem]) -> tuple[Finding, ...]:
    return tuple(Finding(reason=reason_of(problem), path=problem.path, message=problem.message) for problem in problems)


def notes(
    document: Any,
    *,
    provider: str = DEFAULT_PROVIDER,
    config_maps: ConfigMaps | None = None,
    policy: Policy | None = None,
) -> list[Problem]:
    """What the author of a Workspace that is accepted should know: what does nothing, what happens instead. Accepts any
    JSON and never raises."""
    if limits.unreadable(document):
        return []
    draft = Draft(document, provider)
    found = [
        *taken.notes(draft),
        *passed_over(draft),
        *config_notes(config_maps, policy, draft),
        *_template_notes(draft),
    ]
    return list(dict.fromkeys(note.bounded() for note in found))


def _template_notes(draft: Draft) -> Iterator[Problem]:
    sku = known_sku(draft.instance_type) if draft.buys_nodes else None
    for said in of_template(draft.needs, sku) if draft.needs else ():
        yield Problem(taken.NOTE, said.path, said.message)


def provider_of(document: Mapping[str, Any], installed: Provider) -> Provider:
    """The provider that the Workspace's own annotations name, else the installation's. Admission rejects unknown
    values."""
    named = Draft(document, installed).provider
    return next((known for known in PROVIDERS if known == named), installed)


def _found_by(
    check: Callable[..., list[Problem]],
    *documents: Any,
    provider: str = DEFAULT_PROVIDER,
    allowed_hosts: Collection[str] = (),
    config_maps: ConfigMaps | None = None,
    policy: Policy | None = None,
    region: str = "",
) -> list[Problem]:
    return check(
        *documents,
        provider=provider,
        allowed_hosts=allowed_hosts,
        more=rules(config_maps, policy, region),
        planned=partial(_planned, _context(provider, config_maps, policy, region)),
    )


def _context(provider: str, config_maps: ConfigMaps | None, policy: Policy | None, region: str) -> PlanContext:
    installed = next((known for known in PROVIDERS if known == provider), DEFAULT_PROVIDER)
    return PlanContext(region=region or DEFAULT_REGION, provider=installed, config_maps=config_maps, policy=policy)


def _planned(context: PlanContext, draft: Draft) -> Iterator[Problem]:
    """What the plan refuses. Nothing of a model that only the hub knows: it is planned when the hub has been asked."""
    preset = draft.section["preset"]
    if preset.given and known_model(preset) is None:
        return
    try:
        workspace = Workspace.parse(draft.root.value)
    except InvalidWorkspace:  # S1 reports it
        return
    provider = provider_of(draft.document, context.provider)
    yield from _refused(plan_workspace(workspace, replace(context, provider=provider)), draft)


def _refused(report: PlanReport, draft: Draft) -> Iterator[Problem]:
    """The plan's errors as problems; where weights are larger than all memory they begin with KAITO's words for it."""
    for error in report.errors:
        rule = memory_rule(draft) if error.reason == "DoesNotFit" else None
        message = f"Insufficient total GPU memory: {error.message}" if rule else error.message
        yield Problem(rule or RULE, error.path, message, error.reason)
