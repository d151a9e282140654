"""What a failed write of a status means: a refusal, which lasts until somebody changes something, or what passes by
itself; and how it is logged, once for each kind of refusal.

When it is tried again is decided in `writer.py`.
"""

import logging

from temporalio.exceptions import ApplicationError

from activities.contract.payloads import WorkspaceKey
from api.reasons import REASONS

Kind = tuple[str | None, object]
"""A refusal's reason and the API server's status code, if there is one."""
_log = logging.getLogger(__name__)


def is_refusal(failure: Exception) -> bool:
    """Whether only somebody's change lets the same write succeed; anything else passes by itself."""
    return isinstance(failure, ApplicationError) and failure.non_retryable


def log_refusal(key: WorkspaceKey, failure: Exception, pause_s: float, known: set[Kind]) -> None:
    """Logs it with what to do, unless its kind is among those `known`, which it joins."""
    kind = _kind_of(failure)
    level = logging.DEBUG if kind in known else logging.ERROR
    known.add(kind)
    fix = REASONS[kind[0]].fix if kind[0] in REASONS else "report it as a fault of Modelyard"
    text = "a status is refused, and tried again in %.0f s and so on: %s; %s"
    _log.log(level, text, pause_s, failure, fix, extra=log_fields(key))


def _kind_of(failure: Exception) -> Kind:
    if not isinstance(failure, ApplicationError):
        return type(failure).__name__, None
    facts = failure.details[0] if failure.details else None
    return failure.type, facts.get("status") if isinstance(facts, dict) else None


def log_fields(key: WorkspaceKey) -> dict[str, str]:
    """The fields of a log record about a Workspace."""
    return {"namespace": key.namespace, "workspace": key.name}
