"""Which sections a Workspace has: inference or tuning, preset or template."""

import re
from collections.abc import Iterator
from typing import Final

from api.validation.document import Draft, Part
from api.validation.problem import Problem, shown

METHODS: Final = ("lora", "qlora")
_REPOSITORY = re.compile(r"[\w][\w.-]{0,95}/[\w][\w.-]{0,95}", re.ASCII)
_ALIAS = re.compile(r"[\w][\w.-]{0,95}", re.ASCII)


def one_purpose(draft: Draft) -> Iterator[Problem]:
    """C2, C3: serve or train."""
    if draft.inference.given and draft.tuning.given:
        yield Problem("C3", "tuning", "Either Inference or Tuning must be specified, but not both")
    if not draft.inference.given and not draft.tuning.given:
        yield Problem("C2", "inference", "Either Inference or Tuning must be specified, not neither")


def preset_or_template(draft: Draft) -> Iterator[Problem]:
    """C29, and M6 for a template that cannot be a pod."""
    inference = draft.inference
    if not inference.is_map:
        return
    if inference["preset"].given and inference["template"].given:
        yield Problem("C29", inference.path, "Preset and Template cannot be set at the same time")
    if not inference["preset"].given and not inference["template"].given:
        yield Problem("C29", inference.path, "Preset or Template must be specified")
    if inference["template"].is_map:
        yield from _containers(inference["template"]["spec"]["containers"])


def tuning_parts(draft: Draft) -> Iterator[Problem]:
    """C41, C42, C43: what a tuning needs. There may be no resource section: then count is 1."""
    tuning = draft.tuning
    if not tuning.is_map:
        return
    for field in ("input", "output", "preset"):
        if not tuning[field].given:
            yield Problem("C43", tuning[field].path, f"missing field(s): {field.capitalize()}")
    method = tuning["method"]
    if not method.given or (isinstance(method.value, str) and normal_method(method.text) not in METHODS):
        message = f"invalid value: {shown(method.text)}: Method must be one of {', '.join(METHODS)}"
        yield Problem("C42", method.path, message)
    if draft.count > 1:
        yield Problem("C41", "resource.count", "Tuning does not currently support multinode configurations; use 1")


def preset_names(draft: Draft) -> Iterator[Problem]:
    """C10, C44, spelling only; whether a model of that name exists is checked against the catalogue or hub."""
    for rule, section in (("C10", draft.inference), ("C44", draft.tuning)):
        name = section["preset"]["name"]
        if isinstance(name.value, str) and not is_model_name(name.text.strip()):
            kind = "inference" if rule == "C10" else "tuning"
            message = f"Unsupported {kind} preset name {shown(name.text)}"
            yield Problem(rule, name.path, f"{message}: use a preset's name or organisation/model of Hugging Face")


def private_access(draft: Draft) -> Iterator[Problem]:
    """C31: only v1alpha1 knows images that hold weights; later versions accept and ignore the fields."""
    if not draft.first_version:
        return
    for section in (draft.inference, draft.tuning):
        preset = section["preset"]
        if preset["accessMode"].text == "private" and not preset["presetOptions"]["image"].text:
            message = "When AccessMode is private, an image must be provided in PresetOptions"
            yield Problem("C31", preset["presetOptions"]["image"].path, message)


def normal_method(method: str) -> str:
    """A tuning method as it is compared: KAITO's users write QLoRA, too."""
    return method.strip().lower()


def is_model_name(name: str) -> bool:
    """Whether this can be a preset's name or a Hugging Face repository, without path traversal."""
    return ".." not in name and (_REPOSITORY.fullmatch(name) or _ALIAS.fullmatch(name)) is not None


def _containers(containers: Part) -> Iterator[Problem]:
    if not containers.value or not isinstance(containers.value, list):
        yield Problem("M6", containers.path, "a pod template needs at least one container with a name and an image")
    for container in containers.items():
        for field in ("name", "image"):
            if not container[field].text:
                yield Problem("M6", container[field].path, f"missing field(s): a container needs {field}")
