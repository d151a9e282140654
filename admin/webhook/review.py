"""Decides on a Review: applies the rules and collects warnings.

The rules are in `presets.admission.rules`; `modelyard validate` uses the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from admin.webhook.admission_review import Document, Review
from admin.webhook.config_maps import ConfigMaps
from api.validation import Problem


class Rules(Protocol):
    """Validation rules for new and for changed Workspaces."""

    def on_create(self, document: Document, config_maps: ConfigMaps | None) -> Sequence[Problem]:
        """Problems of a new Workspace; of its ConfigMaps only if they are given."""

    def notes(self, document: Document, config_maps: ConfigMaps | None) -> Sequence[Problem]:
        """What is taken and does nothing, or more than it seems."""

    def on_update(self, old: Document, new: Document, config_maps: ConfigMaps | None) -> Sequence[Problem]:
        """Problems of an edit."""


@dataclass(frozen=True)
class Decision:
    """The result of a review; allowed if there are no problems."""

    problems: Sequence[Problem] = ()
    warnings: Sequence[str] = field(default_factory=tuple)


def decide(review: Review, rules: Rules, config_maps: ConfigMaps | None) -> Decision:
    """Applies the rules, unless the review skips validation."""
    if review.passes_unseen or review.document is None:
        return Decision()
    document = _in_namespace(review.document, review.namespace)
    warnings = [f"{note.path}: {note.message}" for note in rules.notes(document, config_maps)]
    if review.old is None or review.operation == "CREATE":
        return Decision(rules.on_create(document, config_maps), warnings)
    return Decision(rules.on_update(_in_namespace(review.old, review.namespace), document, config_maps), warnings)


def _in_namespace(document: Document, namespace: str) -> Document:
    """The document as it will be stored: one that names no namespace is made in that of the request, whose limits
    hold. Older API servers add it after admission."""
    metadata = document.get("metadata")
    if not namespace or not isinstance(metadata, Mapping):
        return document
    return {**document, "metadata": {**metadata, "namespace": namespace}}
