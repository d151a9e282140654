"""Names: of the Workspace, of what is derived from it, and of what it refers to."""

from collections.abc import Iterator
from typing import Final

from api import names
from api.validation.document import Draft, Part
from api.validation.problem import Problem, shown

GENERATED: Final = "x" * 5
"""The API server adds five characters to a generateName."""
CONTAINERS: Final = ("initContainers", "containers")


def workspace_name(draft: Draft) -> Iterator[Problem]:
    """C1: everything made for a Workspace carries its name."""
    name = draft.metadata["name"]
    stem = draft.metadata["generateName"].text
    given = name.text or (stem + GENERATED if stem and not name.given else "")
    if not given:
        if draft.metadata.is_map and (name.value == "" or not name.given):
            yield Problem("C1", name.path, "missing field(s): give the Workspace a name")
        return
    if problem := names.workspace_name_problem(given):
        yield Problem(
            "C1", name.path if name.given else draft.metadata["generateName"].path, f"invalid value: {problem}"
        )


def referred_names(draft: Draft) -> Iterator[Problem]:
    """M5: a Secret or ConfigMap whose name Kubernetes does not allow cannot exist."""
    for part in _references(draft):
        if part.text and not names.is_subdomain(part.text):
            message = f"invalid value: {shown(part.text)} cannot be the name of a Secret or ConfigMap"
            yield Problem("M5", part.path, f"{message}; use lower-case letters, digits, '-' and '.'")


def _references(draft: Draft) -> Iterator[Part]:
    for section in (draft.inference, draft.tuning):
        yield section["config"]
        yield section["preset"]["presetOptions"]["modelAccessSecret"]
    for adapter in draft.inference["adapters"].items():
        yield from adapter["source"]["imagePullSecrets"].items()
    yield from draft.tuning["input"]["imagePullSecrets"].items()
    yield draft.tuning["output"]["imagePushSecret"]
    yield from _template_references(draft.inference["template"]["spec"])


def _template_references(pod: Part) -> Iterator[Part]:
    """What a template names: our own checks read some of these, the kubelet the others."""
    for secret in pod["imagePullSecrets"].items():
        yield secret["name"]
    for volume in pod["volumes"].items():
        yield volume["secret"]["secretName"]
        yield volume["configMap"]["name"]
        for source in volume["projected"]["sources"].items():
            yield from (source[kind]["name"] for kind in ("secret", "configMap"))
    for container in (one for kind in CONTAINERS for one in pod[kind].items()):
        for source in container["envFrom"].items():
            yield from (source[kind]["name"] for kind in ("secretRef", "configMapRef"))
        for variable in container["env"].items():
            if (source := variable["valueFrom"]).is_map:  # most have none
                yield from (source[kind]["name"] for kind in ("secretKeyRef", "configMapKeyRef"))
