"""Admission rules that need the catalogue of models and machines; `api.validation` has the others.

`presets/plan/judge.py` asks them all, and then the plan. No I/O: whether a repository, a Secret or a node exists, the
preflight asks before nodes are bought.
"""

import re
from collections.abc import Iterator
from functools import partial
from typing import Final

from api import labels
from api.policy.document import Policy
from api.purchasing import OPTIONS_MAX, purchase_options
from api.validation.checks.sections import is_model_name, normal_method
from api.validation.document import TRANSFORMERS, Draft
from api.validation.engine import Rule
from api.validation.problem import Problem, shown
from api.validation.taken import NOTE
from presets.admission.config_maps import ConfigMaps, config_maps_named
from presets.admission.lookups import NAME_MAX, known_model, known_sku, slice_gib, untunable
from presets.admission.policy import policy_rules
from presets.admission.templates import is_without_gpu, templates
from presets.hub import adapter_support
from presets.machines.retirements import retirement
from presets.machines.skus import UnknownSku, find_sku, sku_table
from presets.models.catalog import UnknownModel, find_model

FALLBACKS_MAX: Final = 20
_OF_A_TEMPLATE: Final = re.compile(r"standard_[dn]\w*", re.ASCII | re.IGNORECASE)
QLORA_SHARE: Final = 0.258
"""Of weights in 16 bits that nf4 with double quantization leaves: 0.516 bytes of 2."""


def rules(config_maps: ConfigMaps | None, policy: Policy | None, region: str) -> tuple[Rule, ...]:
    """Every rule that needs more than the document: the catalogue's, the ConfigMaps', the policy's."""
    return (*CATALOGUE_RULES, partial(config_maps_named, config_maps, policy), *policy_rules(policy, region))


def _presets(draft: Draft) -> Iterator[Problem]:
    """C10, C44: a name without organisation must be an alias of the catalogue. C37: a gated model needs a token."""
    for rule, kind, section in (("C10", "inference", draft.inference), ("C44", "tuning", draft.tuning)):
        preset = section["preset"]
        name = preset["name"].text.strip()
        model = known_model(preset)
        if model is None and is_model_name(name) and "/" not in name:
            yield Problem(rule, preset["name"].path, f"Unsupported {kind} preset name {shown(name)}: {_nearest(name)}")
        secret = preset["presetOptions"]["modelAccessSecret"]
        if model and model.gated and not secret.text:
            message = "This preset requires authentication and needs a modelAccessSecret with HF_TOKEN key"
            hint = f"accept the licence of {model.repo} and name a Secret that holds your token"
            yield Problem("C37", secret.path, f"{message} under presetOptions to download the model: {hint}")


def _tunable(draft: Draft) -> Iterator[Problem]:
    """M10: KAITO admits any preset for tuning, and its Job fails on nodes that were bought."""
    preset = draft.tuning["preset"]
    model = known_model(preset)
    if model and not model.lora_targets:
        yield Problem("M10", preset["name"].path, f"{shown(preset['name'].text)} {untunable(model)}")


def _machines(draft: Draft) -> Iterator[Problem]:
    """C15: a machine that is known, has GPUs and can be bought; KAITO admits others by prefix and fails after buying
    them. A template that asks for no GPU needs none; of a size that is not known its author knows what it has."""
    if not draft.buys_nodes:
        return
    part = draft.resource["instanceType"]
    if draft.instance_type.strip() and (problem := _machine_problem(draft.instance_type, draft)):
        yield Problem("C15", part.path, f"Unsupported instance type {shown(draft.instance_type)}: {problem}")
    fallbacks = draft.annotation(labels.INSTANCE_TYPE_FALLBACKS)
    names = fallbacks.text.split(",") if fallbacks.text else []
    if len(names) > FALLBACKS_MAX:
        yield Problem("M11", fallbacks.path, f"{len(names)} machine types; use at most {FALLBACKS_MAX}")
        return
    yield from _too_many(draft)
    for name in names:
        # A fallback that Azure has retired since is passed over: it may stand in a Workspace that runs.
        if not retirement(name) and (problem := _machine_problem(name, draft)):
            yield Problem("M11", fallbacks.path, f"Unsupported instance type {shown(name)}: {problem}")


def passed_over(draft: Draft) -> Iterator[Problem]:
    """Of the fallbacks those that Azure has retired: a note, because they may stand in a Workspace that runs."""
    fallbacks = draft.annotation(labels.INSTANCE_TYPE_FALLBACKS)
    for name in fallbacks.text.split(",")[:FALLBACKS_MAX] if draft.buys_nodes else ():
        if gone := retirement(name):
            message = f"{shown(name.strip())} is passed over: Azure retired it ({gone.gpu}) on {gone.since}"
            yield Problem(NOTE, fallbacks.path, f"{message}; use {gone.instead}")


def _too_many(draft: Draft) -> Iterator[Problem]:
    """M18: every way to get nodes is planned and may be tried for minutes."""
    try:
        options = purchase_options(draft.instance_type, draft.metadata["annotations"].texts)
    except ValueError:  # M16 and M17 report the error
        return
    if len(options) > OPTIONS_MAX:
        path = draft.annotation(labels.INSTANCE_TYPE_FALLBACKS).path
        message = f"{len(options)} purchase options: machines x capacity types x zones; use at most {OPTIONS_MAX}"
        yield Problem("M18", path, message)


def memory_rule(draft: Draft) -> str | None:
    """C16 or C17, where the weights alone are larger than all GPUs and `count` is taken as it is; None elsewhere. The
    plan has the numbers. For qlora weights are counted as it packs them."""
    as_written = draft.first_version or draft.tuning.given or draft.annotation(labels.RUNTIME).text == TRANSFORMERS
    model, sku = known_model(draft.section["preset"]), known_sku(draft.instance_type)
    if not as_written or not draft.buys_nodes or model is None or sku is None:
        return None
    packs = normal_method(draft.tuning["method"].text) == "qlora"
    weights = model.weights_gib * (QLORA_SHARE if packs else 1)
    if sku.total_gpu_memory_gib * draft.count >= weights:
        return None
    return "C16" if draft.first_version else "C17"


def _slices(draft: Draft) -> Iterator[Problem]:
    """C28: the weights must fit into the MIG slice, whose size its name tells."""
    profile = draft.resource["partition"]["profile"]
    model = known_model(draft.section["preset"])
    size = slice_gib(profile.text)
    if draft.resource["partition"]["mode"].text != "mig" or _bypassed(draft) or model is None or size is None:
        return
    if model.weights_gib > size:
        message = f"{model.repo} has {model.weights_gib:.1f} GiB of weights, which exceeds the {profile.text} MIG slice"
        yield Problem("C28", profile.path, f"{message} capacity of {size} GiB; use a larger profile")


def _adapters(draft: Draft) -> Iterator[Problem]:
    """C33, M12: adapters that the model can take, under names that are not the model's own."""
    adapters = draft.inference["adapters"]
    model = known_model(draft.inference["preset"])
    if model is None:
        return
    if adapters.value and (message := adapter_support.refusal(model)):
        yield Problem("C33", adapters.path, message)
    for adapter in list(adapters.items())[:100]:
        name = adapter["source"]["name"]
        if name.text and name.text == model.served_name:
            yield Problem("M12", name.path, f"{shown(name.text)} is the model's own name; clients could not choose")


CATALOGUE_RULES: Final[tuple[Rule, ...]] = (
    _presets,
    _tunable,
    _machines,
    _slices,
    _adapters,
    templates,
)


def _bypassed(draft: Draft) -> bool:
    """Whether the author disabled memory checks: the annotation's presence is enough, as in KAITO."""
    return draft.annotation(labels.BYPASS_RESOURCE_CHECKS).given


def _nearest(name: str) -> str:
    try:
        find_model(name)
    except UnknownModel as error:
        return f"{_hint(error)}. Any organisation/model of Hugging Face works, too"
    return ""


def _machine_problem(name: str, draft: Draft) -> str | None:
    if len(name) > NAME_MAX:
        return f"{len(name)} characters are too many for a machine name"
    if gone := retirement(name):
        return f"Azure retired it ({gone.gpu}) on {gone.since}; use {gone.instead}"
    try:
        sku = find_sku(name)
    except UnknownSku as error:
        if draft.kind == "template" and _OF_A_TEMPLATE.fullmatch(name.strip()):
            return None
        known = (sku.name for sku in sku_table().skus if sku.gpus and not sku.retired)
        return f"{_hint(error)}. Supported SKUs: {', '.join(known)}"
    return None if sku.gpus or is_without_gpu(draft) else f"{sku.name} has no GPU"


def _hint(error: LookupError) -> str:
    """What to use instead, which stands after the colon."""
    return str(error).partition(": ")[2].rstrip("?")
