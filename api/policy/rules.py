"""Judges a Workspace by the policy, but for what it buys: volumes, templates, images. Rules of admission.

`presets/admission/policy.py` adds what needs prices; the rules' ids are rows of `api/validation/rules.yaml`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from api import labels
from api.oci.image_reference import ImageReference
from api.policy.document import Policy, Rules
from api.policy.templates import CONTAINERS, other_problems, privileges_taken
from api.validation.document import Draft, Part
from api.validation.problem import Problem, shown

ENABLED: Final = "True"
"""The one value with which KAITO makes a load balancer."""
DOCKER_HUB: Final = "docker.io/"
Rule = Callable[[Draft], Iterator[Problem]]
RULE_IDS: Final = ("P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11", "P12")
"""Of all rules that are the operator's: a Workspace may be right and still not be allowed here."""


def document_rules(policy: Policy) -> tuple[Rule, ...]:
    """The rules of this policy, in the order of their ids."""

    def bound(rule: Callable[[Draft, Rules], Iterator[Problem]]) -> Rule:
        def judge(draft: Draft) -> Iterator[Problem]:
            for problem in rule(draft, policy.rules_of(namespace_of(draft))):
                yield Problem(problem.rule, problem.path, f"{problem.message}. Ask {policy.contact}")

        return judge

    return tuple(bound(rule) for rule in (volumes, templates, template_images, repositories, load_balancers))


def namespace_of(draft: Draft) -> str:
    """The namespace that a document without one is made in: `default`."""
    return draft.metadata["namespace"].text or "default"


def volumes(draft: Draft, rules: Rules) -> Iterator[Problem]:
    """P6: volumes of adapters, training data and output are of kinds that are allowed."""
    adapters = draft.inference["adapters"].items()
    holders = [*(adapter["source"] for adapter in adapters), draft.tuning["input"], draft.tuning["output"]]
    for holder in holders:
        for kind in holder["volumeSource"].mapping:
            if kind not in rules.volumes:
                message = f"a volume may be {_or(rules.volumes)} here, not {shown(kind)}"
                yield Problem("P6", holder["volumeSource"][kind].path, message)


def templates(draft: Draft, rules: Rules) -> Iterator[Problem]:
    """P7, P8: whether there may be a pod template, and what it may hold."""
    template = draft.inference["template"]
    if not template.given:
        return
    if not rules.templates.allowed:
        yield Problem("P7", template.path, "pod templates are not allowed here: use a preset")
        return
    for name, part, message in privileges_taken(template):
        if name not in rules.templates.privileges:
            yield Problem("P8", part.path, f"{message}, which a pod template may not do here ({name})")
    for part, message in other_problems(template, rules.templates):
        yield Problem("P8", part.path, message)


def template_images(draft: Draft, rules: Rules) -> Iterator[Problem]:
    """P9: images of a template are from where the operator says."""
    spec = draft.inference["template"]["spec"]
    for kind in CONTAINERS:
        for container in spec[kind].items():
            yield from _image("P9", container["image"], rules.templates.image_prefixes, namespace_of(draft))


def repositories(draft: Draft, rules: Rules) -> Iterator[Problem]:
    """P10: images of adapters and data are the namespace's own, where the operator says which those are."""
    namespace, allowed = namespace_of(draft), rules.repositories
    for adapter in draft.inference["adapters"].items():
        yield from _image("P10", adapter["source"]["image"], allowed.adapters, namespace)
    yield from _image("P10", draft.tuning["input"]["image"], allowed.data, namespace)
    yield from _image("P10", draft.tuning["output"]["image"], allowed.output, namespace)


def load_balancers(draft: Draft, rules: Rules) -> Iterator[Problem]:
    """P12: whether a Service may be reached from outside of the cluster."""
    asked = draft.annotation(labels.ENABLE_LOAD_BALANCER)
    if asked.text == ENABLED and rules.load_balancers == "none" and draft.kind != "tuning":
        yield Problem("P12", asked.path, "load balancers are not allowed here: remove the annotation")


def _image(rule: str, image: Part, prefixes: Sequence[str], namespace: str) -> Iterator[Problem]:
    if not image.text or not prefixes:
        return
    wanted = [prefix.replace("{namespace}", namespace) for prefix in prefixes]
    if not any(begins_with(image.text, prefix) for prefix in wanted):
        yield Problem(rule, image.path, f"{shown(image.text)} is not in {_or(wanted)}, where images may be from")


def begins_with(image: str, prefix: str) -> bool:
    """Whether an image lies below a prefix, both with their registry written out. A prefix ends at a `/` or is a whole
    repository: `registry.example/a` is not the beginning of `registry.example/ab`."""
    try:
        name = _name_of(image)
    except ValueError:
        return False
    base = prefix.rstrip("/")
    return name == base or name.startswith(f"{base}/")


def _name_of(image: str) -> str:
    """Registry and repository, such as `docker.io/library/nginx`. Raises ValueError for what is no image."""
    found = ImageReference.parse(image)
    host = found.host if found.host != ImageReference.parse("a").host else DOCKER_HUB.rstrip("/")
    return f"{host}/{found.repository}"


def _or(words: Sequence[str]) -> str:
    return " or ".join(words) or "nothing"
