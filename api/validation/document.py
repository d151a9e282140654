"""Reads an unvalidated Workspace document; reading any part of it never fails.

Parts that are missing or of another type read as empty: `schema` reports wrong types, and the rules check what is
present. Makes no validation decisions.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from api import labels
from api.pods.template import TemplateNeeds, read_template
from api.replicas import replicas
from api.resource.workspace import V1ALPHA1_INSTANCE_TYPE

_PASSED_ON: Final = frozenset({"template", "volumeSource", "status"})
_EXACT: Final = 2**53 - 1
"""The largest number with a decimal point that the API server accepts as an integer."""
_STEP = re.compile(r"([^.\[\]]+)|\[([^\[\]]*)\]")
PROVISIONERS: Final = {"azure-gpu-provisioner": "karpenter"}
"""KAITO's provider names that differ from ours: its gpu-provisioner is driven by NodeClaims, too."""
TRANSFORMERS: Final = "transformers"


@dataclass(frozen=True)
class Part:
    """One place in a document, and its path as the author would write it."""

    path: str
    value: Any

    def __getitem__(self, key: str) -> "Part":
        """The field of this name; a part without a value when there is none."""
        path = f"{self.path}.{key}" if self.path else key
        return Part(path, self.value.get(key) if isinstance(self.value, Mapping) else None)

    def item(self, key: str) -> "Part":
        """The entry of a map whose keys hold dots and slashes: `annotations[kaito.sh/runtime]`."""
        return Part(f"{self.path}[{key}]", self.mapping.get(key))

    @property
    def given(self) -> bool:
        """Whether a value is present. An empty map counts, as a pointer to an empty struct does in KAITO."""
        return self.value is not None

    @property
    def is_map(self) -> bool:
        """Whether the value is a map of fields."""
        return isinstance(self.value, Mapping)

    @property
    def text(self) -> str:
        """The string here, empty for anything else."""
        return self.value if isinstance(self.value, str) else ""

    @property
    def number(self) -> int | None:
        """The whole number here; None for anything else, true and false included."""
        return self.value if isinstance(self.value, int) and not isinstance(self.value, bool) else None

    @property
    def mapping(self) -> Mapping[str, Any]:
        """The map here, empty for anything else."""
        return self.value if isinstance(self.value, Mapping) else {}

    @property
    def texts(self) -> Mapping[str, str]:
        """The entries of a map that are strings."""
        return {key: value for key, value in self.mapping.items() if isinstance(value, str)}

    def items(self) -> Iterator["Part"]:
        """The entries of a list, none for anything else."""
        if isinstance(self.value, list):
            for index, value in enumerate(self.value):
                yield Part(f"{self.path}[{index}]", value)


@dataclass(frozen=True)
class Draft:
    """A document under validation; `provider` is None if the node provider is not known."""

    document: Mapping[str, Any]
    installed_provider: str | None = None
    allowed_hosts: frozenset[str] = frozenset()

    @cached_property
    def root(self) -> Part:
        """The document as the API server would keep it."""
        return Part("", _as_stored(self.document))

    @property
    def metadata(self) -> Part:
        """The `metadata` section."""
        return self.root["metadata"]

    @property
    def resource(self) -> Part:
        """The `resource` section."""
        return self.root["resource"]

    @property
    def inference(self) -> Part:
        """The `inference` section."""
        return self.root["inference"]

    @property
    def tuning(self) -> Part:
        """The `tuning` section."""
        return self.root["tuning"]

    @property
    def section(self) -> Part:
        """inference, or else tuning."""
        return self.inference if self.inference.given else self.tuning

    def annotation(self, key: str) -> Part:
        """One annotation's value."""
        return self.metadata["annotations"].item(key)

    def at(self, path: str) -> Any:
        """The value at a path as problems give it; None when there is none."""
        value: Any = self.root.value
        for entry, index in _STEP.findall(path):
            if isinstance(value, Mapping):
                value = value.get(entry or index)
            elif isinstance(value, list) and index.isdecimal() and int(index) < len(value):
                value = value[int(index)]
            else:
                return None
        return value

    @property
    def first_version(self) -> bool:
        """Whether it is written in v1alpha1, whose authors know other rules."""
        return self.root["apiVersion"].text == labels.V1ALPHA1

    @property
    def authored_in(self) -> str:
        """The version that `resource` was written in; see Workspace.authored_in."""
        for entry in self.metadata["managedFields"].items():
            if "f:resource" in entry["fieldsV1"].mapping:
                return entry["apiVersion"].text
        return self.root["apiVersion"].text

    @property
    def instance_type(self) -> str:
        """The machine type asked for, KAITO's default for a v1alpha1 author who gave none; empty when there is none."""
        given = self.resource["instanceType"].text
        implied = self.resource.is_map and self.authored_in == labels.V1ALPHA1
        return given or (V1ALPHA1_INSTANCE_TYPE if implied else "")

    @property
    def count(self) -> int:
        """resource.count, 1 where none is given."""
        number = self.resource["count"].number
        return 1 if number is None else number

    @property
    def kind(self) -> str:
        """What it is for: preset, template or tuning."""
        if self.tuning.given and not self.inference.given:
            return "tuning"
        return "template" if self.inference["template"].given else "preset"

    @cached_property
    def needs(self) -> TemplateNeeds | None:
        """What a pod of its template asks for; None without a template. Many rules ask."""
        template = self.inference["template"]
        return read_template(template.value) if template.is_map else None

    @property
    def replicas(self) -> int:
        """Copies of the server, each on a node of its own: the nodes that it wants."""
        planned = self.root["status"]["plan"]["nodes"].number
        return replicas(self.metadata["annotations"].texts, kind=self.kind, count=self.count, planned=planned)

    @property
    def provider(self) -> str | None:
        """aks, karpenter or byo: from the Workspace's annotations, ours before KAITO's, else the installation's."""
        provisioner = self.annotation(labels.NODE_PROVISIONER).text
        own = self.annotation(labels.NODE_PROVIDER).text or PROVISIONERS.get(provisioner, provisioner)
        return own or self.installed_provider

    @property
    def buys_nodes(self) -> bool:
        """Whether nodes are bought, as far as it is known."""
        return self.provider in ("aks", "karpenter")

    @property
    def brings_nodes(self) -> bool:
        """Whether the user brings the nodes, as far as it is known."""
        return self.provider == "byo"


def _as_stored(value: Any) -> Any:
    """As the API server would keep it: without nulls, and with 2.0 as 2. What is passed on as written stays so."""
    if isinstance(value, Mapping):
        return {
            key: child if key in _PASSED_ON else _as_stored(child) for key, child in value.items() if child is not None
        }
    if isinstance(value, list):
        return [_as_stored(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        return int(value)
    return value
