"""What an update may not change.

Values are compared as they take effect: a default that was written out is no change.
"""

from collections.abc import Iterator
from typing import Any

from api import labels
from api.validation.checks.sections import normal_method
from api.validation.checks.selectors import as_labels
from api.validation.document import Draft, Part
from api.validation.problem import Problem, shown

IMMUTABLE = "field is immutable"


def sections(old: Draft, new: Draft) -> Iterator[Problem]:
    """U1, U2: a server does not become a training."""
    for rule, field, title in (("U1", "inference", "Inference"), ("U2", "tuning", "Tuning")):
        if old.root[field].given != new.root[field].given:
            yield Problem(rule, field, f"{title} field cannot be toggled once set; make another Workspace")


def resource(old: Draft, new: Draft) -> Iterator[Problem]:
    """U3, U7, U8: nodes are bought for these."""
    if old.count != new.count:
        message = f"{IMMUTABLE}: it was {old.count}, and {new.count} is given; make another Workspace"
        yield Problem("U3", "resource.count", message)
    if _selector(old) != _selector(new):
        yield Problem("U7", "resource.labelSelector", f"{IMMUTABLE}: nodes carry these labels; make another Workspace")
    if old.resource["partition"].value != new.resource["partition"].value:
        yield Problem("U8", "resource.partition", f"{IMMUTABLE}; make another Workspace")


def replicas(old: Draft, new: Draft) -> Iterator[Problem]:
    """M26: nodes are bought for the replicas. Writing down those that a Workspace has is no change."""
    if old.kind == new.kind and old.replicas != new.replicas and old.count == new.count:
        path = new.annotation(labels.REPLICAS).path
        change = f"{old.replicas} replicas are there, and {new.replicas} are asked for; make another Workspace"
        yield Problem("M26", path, f"{IMMUTABLE}: {change}")


def machine(old: Draft, new: Draft) -> Iterator[Problem]:
    """U4, U5, U6: from one machine type to another. Emptied or set for the first time: see C8 and C9."""
    before, after = old.instance_type, new.instance_type
    if not before or before.strip().lower() == after.strip().lower():
        return
    path = new.resource["instanceType"].path
    change = f"it was {shown(before)}, and {shown(after)} is given; make another Workspace"
    if new.first_version:
        yield Problem("U4", path, f"{IMMUTABLE}: {change}")
    elif after and new.brings_nodes:
        yield Problem("U6", path, f"instanceType cannot be changed once set: {change}")
    elif after or new.buys_nodes:
        message = "instanceType cannot be changed once set when node auto-provisioning is enabled"
        yield Problem("U5", path, f"{message}: {change}")


def provider(old: Draft, new: Draft) -> Iterator[Problem]:
    """M13: nodes are released through the provider that created them."""
    before, after = old.provider, new.provider
    if before != after and before is not None:
        path = new.annotation(labels.NODE_PROVIDER).path
        message = f"{IMMUTABLE}: nodes come from {before}, and {after or 'nowhere'} is given; make another Workspace"
        yield Problem("M13", path, message)


def inference(old: Draft, new: Draft) -> Iterator[Problem]:
    """U11, U12: the model, and whether there is a template. The template's content may change."""
    before, after = old.inference, new.inference
    if not before.is_map or not after.is_map:
        return
    if _preset(before) != _preset(after):
        yield Problem("U11", "inference.preset", f"{IMMUTABLE}; make another Workspace for another model")
    if before["template"].given != after["template"].given:
        verb, was = ("unset", "set") if before["template"].given else ("set", "unset")
        yield Problem("U12", "inference.template", f"field cannot be {verb} if it was {was}; make another Workspace")


def tuning(old: Draft, new: Draft) -> Iterator[Problem]:
    """U15, U16: what is trained, and how. Data and destination may change."""
    before, after = old.tuning, new.tuning
    if not before.is_map or not after.is_map:
        return
    if _preset(before) != _preset(after):
        yield Problem("U15", "tuning.preset", "Preset cannot be changed; make another Workspace for another model")
    if normal_method(before["method"].text) != normal_method(after["method"].text):
        message = f"Method cannot be changed: it was {shown(before['method'].text)}"
        yield Problem("U15", "tuning.method", f"{message}; make another Workspace")
    if before["input"]["name"].text != after["input"]["name"].text:
        message = "During tuning Name field cannot be changed once set"
        yield Problem("U16", "tuning.input.name", f"{message}; it was {shown(before['input']['name'].text)}")


def _selector(draft: Draft) -> Any:
    selector = draft.resource["labelSelector"]
    found = as_labels(selector)
    return selector.value if found is None else found


def _preset(section: Part) -> Any:
    """With the API server's defaults, so that a file without them equals what is stored."""
    preset = section["preset"]
    if not preset.is_map:
        return preset.value
    return {"accessMode": "public", **{key: value for key, value in preset.mapping.items() if value != {}}}
