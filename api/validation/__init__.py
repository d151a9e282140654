"""Admission rules that need only the Workspace document: KAITO's and Modelyard's.

`presets/admission/rules.py` adds the rules that need the catalogue of models and machines; the webhook, the planner
and `modelyard validate` call that. Each rule is a row of `rules.py`; `engine.py` combines them.
"""

from collections.abc import Collection
from typing import Any

from api.validation.engine import check_create, check_update
from api.validation.problem import Problem

__all__ = ["Problem", "problems_on_create", "problems_on_update"]


def problems_on_create(
    document: Any, *, provider: str | None = None, allowed_hosts: Collection[str] = ()
) -> list[Problem]:
    """Returns every problem of a new Workspace. Accepts any JSON and never raises.

    `provider` is the installation's (aks, karpenter, byo); without one, provider-specific rules apply only where the
    Workspace names its provider. URLs may name `allowed_hosts` whatever their address.
    """
    return check_create(document, provider=provider, allowed_hosts=allowed_hosts)


def problems_on_update(
    old: Any, new: Any, *, provider: str | None = None, allowed_hosts: Collection[str] = ()
) -> list[Problem]:
    """Returns every problem of replacing `old` by `new`; empty if the object is being deleted."""
    return check_update(old, new, provider=provider, allowed_hosts=allowed_hosts)
