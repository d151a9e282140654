"""From a Review to a verdict: what the rules are asked, and what is warned of.

The rules themselves are `presets.admission.rules`'s, the same that `modelyard validate` asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from admin.webhook.admission_review import Document, Review
from admin.webhook.config_maps import ConfigMaps
from admin.webhook.deprecations import deprecation_warnings
from api.validation import Problem


class Rules(Protocol):
    """What must hold of a new Workspace, and of a changed one."""

    def on_create(self, document: Document, config_maps: ConfigMaps | None) -> Sequence[Problem]:
        """Problems of a new Workspace; those of its ConfigMaps only where they are given."""

    def on_update(self, old: Document, new: Document, config_maps: ConfigMaps | None) -> Sequence[Problem]:
        """Problems of an edit."""


@dataclass(frozen=True)
class Decision:
    """Allowed where there are no problems."""

    problems: Sequence[Problem] = ()
    warnings: Sequence[str] = field(default_factory=tuple)


def decide(review: Review, rules: Rules, config_maps: ConfigMaps | None) -> Decision:
    """Asks the rules, unless the review passes unseen."""
    if review.passes_unseen or review.document is None:
        return Decision()
    warnings = deprecation_warnings(review.document)
    if review.old is None or review.operation == "CREATE":
        return Decision(rules.on_create(review.document, config_maps), warnings)
    return Decision(rules.on_update(review.old, review.document, config_maps), warnings)
