"""Workspaces that break one rule of the CRD each, and updates that do: what the webhook says of them is what counts."""

import copy
from collections.abc import Iterable
from typing import Any, NamedTuple

from tests.unit.api.validation.conftest import GONE, V1ALPHA1, V1BETA1, Builder

Obj = dict[str, Any]
BUILD = Builder()
BYO = {"modelyard.dev/node-provider": "byo"}
MACHINE = "resource.instanceType"
PARTITION = "resource.partition"
TEMPLATE = {"spec": {"containers": [{"name": "c", "image": "i:1"}]}}
CLAIM = {"persistentVolumeClaim": {"claimName": "data"}}


class Case(NamedTuple):
    """`old` is None for a new Workspace. `rule` is a row of api/validation/rules.yaml."""

    rule: str
    old: Obj | None
    new: Obj

    def __str__(self) -> str:
        return str(self.new["metadata"]["name"])


def _renamed(document: Obj, name: Obj) -> Obj:
    return document | {"metadata": document["metadata"] | name}


def _named(prefix: str, cases: Iterable[Case]) -> tuple[Case, ...]:
    """Each Workspace with a name of its own; those about a name keep theirs."""
    named = []
    for number, case in enumerate(cases):
        name = {} if case.rule == "C1" else {"name": f"{prefix}-{case.rule or 'none'}-{number}".lower()}
        old = case.old and _renamed(case.old, name)
        named.append(Case(case.rule, old, _renamed(case.new, name)))
    return tuple(named)


def _new(rule: str, document: Obj) -> Case:
    return Case(rule, None, document)


def _serving(rule: str, before: Obj, after: Obj, version: str = V1BETA1) -> Case:
    return Case(rule, BUILD.serving(before, version), BUILD.serving(after, version))


def _tuning(rule: str, before: Obj, after: Obj) -> Case:
    return Case(rule, BUILD.tuning(before), BUILD.tuning(after))


def _own(rule: str, partition: Obj) -> Case:
    return _new(rule, BUILD.own_nodes({PARTITION: partition}))


def adapters(count: int) -> list[Obj]:
    return [{"source": {"name": f"a{number}", "image": "registry.example.com/a:1"}} for number in range(count)]


_WITH_TUNING = {"tuning": copy.deepcopy(BUILD.tuning()["tuning"])}
_ONE_GPU = {"mode": "accelerator", "count": 1}
CASES = _named(
    "refused",
    (
        _new("C1", BUILD.serving({"metadata.name": "a" * 55})),
        _new("C1", BUILD.serving({"metadata.name": "7b.b7"})),
        _new("C2", BUILD.serving({"inference": GONE})),
        _new("C3", BUILD.serving(_WITH_TUNING)),
        _new("C24", BUILD.tuning({PARTITION: _ONE_GPU, "metadata.annotations": BYO})),
        _new("C41", BUILD.tuning({"resource.count": 2})),
        _new("M3", BUILD.serving({"resource.count": 0})),
        _new("M3", BUILD.serving({"resource.count": 1001}, V1ALPHA1)),
        _own("C25", {"mode": "mig", "profile": "1g.10gb", "count": 1}),
        _own("C25", {"mode": "mig", "profile": "huge"}),
        _own("C25", {"mode": "mig"}),
        _own("C26", {"mode": "accelerator", "count": 1, "profile": "1g.10gb"}),
        _own("C26", {"mode": "accelerator"}),
        _new("C29", BUILD.serving({"inference.template": TEMPLATE})),
        _new("C29", BUILD.serving({"inference.preset": GONE})),
        _new("C35", BUILD.serving({"inference.adapters": adapters(11)})),
        _new("M9", BUILD.own_nodes({"inference": {"template": TEMPLATE, "adapters": adapters(1)}})),
        _new("C42", BUILD.tuning({"tuning.method": "dora"})),
        _new("C42", BUILD.tuning({"tuning.method": GONE})),
        _new("C43", BUILD.tuning({"tuning.preset": GONE})),
        _new("C47", BUILD.tuning({"tuning.input.image": "registry.example.com/data:1"})),
        _new("C47", BUILD.tuning({"tuning.input.urls": []})),
        _new("C48", BUILD.tuning({"tuning.input.urls": [f"https://e.org/{number}" for number in range(101)]})),
        _new("C50", BUILD.tuning({"tuning.output.imagePushSecret": GONE})),
        _new("C51", BUILD.tuning({"tuning.output.volumeSource": CLAIM})),
        _new("C51", BUILD.tuning({"tuning.output": {}})),
        Case("U1", BUILD.tuning(), BUILD.serving()),
        Case("U2", BUILD.serving(), BUILD.tuning()),
        _serving("U3", {}, {"resource.count": 2}),
        _serving("U3", {"resource": GONE}, {"resource.count": 2, "resource.labelSelector": {}}),
        _serving("U4", {}, {MACHINE: "Standard_ND96isr_H100_v5"}, V1ALPHA1),
        _serving("U6", {"metadata.annotations": BYO}, {MACHINE: "Standard_NV6", "metadata.annotations": BYO}),
        _serving("U7", {}, {"resource.labelSelector": {"matchLabels": {"apps": "other"}}}),
        _serving("U7", {}, {"resource.labelSelector": {}}),
        _serving("U8", {}, {PARTITION: _ONE_GPU}),
        _serving("U8", {PARTITION: _ONE_GPU}, {PARTITION: {"mode": "accelerator", "count": 2}}),
        _serving("U11", {}, {"inference.preset.name": "phi-4"}),
        _serving("U11", {}, {"inference.preset.accessMode": "private"}),
        _serving("U11", {}, {"inference.preset.presetOptions": {"modelAccessSecret": "hf"}}),
        _serving("U12", {}, {"inference.template": TEMPLATE}),
        _serving("U12", {"inference.template": TEMPLATE}, {}),
        _tuning("U15", {}, {"tuning.preset.name": "phi-4"}),
        _tuning("U15", {}, {"tuning.method": "lora"}),
        _tuning("U16", {}, {"tuning.input.name": "songs"}),
        _tuning("U16", {}, {"tuning.input.name": GONE}),
    ),
)
HARMLESS = _named(
    "taken",
    (
        _serving("", {}, {"resource.count": 1, MACHINE: "standard_nc24ads_a100_V4 "}),
        _serving("", {}, {"inference.preset.accessMode": "public", "inference.preset.presetOptions": {}}),
        _serving("", {"inference.adapters": adapters(10)}, {"inference.adapters": [], "inference.config": "c"}),
        _serving(
            "",
            {},
            {"resource.labelSelector": {"matchExpressions": [{"key": "apps", "operator": "In", "values": ["phi"]}]}},
        ),
        _serving("", {MACHINE: GONE}, {}),
        Case(
            "",
            BUILD.serving({"inference": {"template": TEMPLATE}}),
            BUILD.serving({"inference": {"template": {"spec": {"containers": [{"name": "d", "image": "i:2"}]}}}}),
        ),
        _tuning("", {}, {"tuning.method": " QLoRA", "tuning.input.urls": ["https://data.example.com/other.parquet"]}),
        _tuning("", {}, {"tuning.output": {"volumeSource": CLAIM}, "tuning.config": "training"}),
    ),
)
"""Updates that the webhook takes."""
