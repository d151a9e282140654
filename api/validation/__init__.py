"""Whether a Workspace may be stored, as far as the document itself says: KAITO's admission rules and ours.

What a catalogue of models and machines adds is in `presets/admission/rules.py`, which is what the webhook, the planner
and `modelyard validate` ask. Each rule is a row of `rules.py`; how they are combined is `engine.py`'s.
"""

from collections.abc import Collection
from typing import Any

from api.validation.engine import judge_create, judge_update
from api.validation.problem import Problem

__all__ = ["Problem", "problems_on_create", "problems_on_update"]


def problems_on_create(
    document: Any, *, provider: str | None = None, allowed_hosts: Collection[str] = ()
) -> list[Problem]:
    """Everything that is wrong with a new Workspace; any JSON may come in, and nothing is raised.

    `provider` is the installation's (aks, karpenter, byo); without one, rules about who brings the nodes hold only
    where the Workspace says it. `allowed_hosts` may be named in URLs whatever they are.
    """
    return judge_create(document, provider=provider, allowed_hosts=allowed_hosts)


def problems_on_update(
    old: Any, new: Any, *, provider: str | None = None, allowed_hosts: Collection[str] = ()
) -> list[Problem]:
    """Everything that is wrong with replacing `old` by `new`; empty for what is being deleted."""
    return judge_update(old, new, provider=provider, allowed_hosts=allowed_hosts)
