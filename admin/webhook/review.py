"""Decides on a Review: applies the rules and collects warnings.

The rules are in `presets.admission.rules`; `modelyard validate` uses the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from admin.webhook.admission_review import Document, Review
from admin.webhook.config_maps import ConfigMaps
from admin.webhook.deprecations import deprecation_warnings
from api.validation import Problem


class Rules(Protocol):
    """Validation rules for new and for changed Workspaces."""

    def on_create(self, document: Document, config_maps: ConfigMaps | None) -> Sequence[Problem]:
        """Problems of a new Workspace; of its ConfigMaps only if they are given."""

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
    warnings = deprecation_warnings(review.document)
    if review.old is None or review.operation == "CREATE":
        return Decision(rules.on_create(review.document, config_maps), warnings)
    return Decision(rules.on_update(review.old, review.document, config_maps), warnings)
