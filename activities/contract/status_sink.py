"""How a workflow hands its status to its worker process, outside of its history.

A status tells people where a Workspace stands; no decision of the workflow depends on it. So it is no command of the
workflow: it goes to an external function of the worker, which `worker/status_interceptor.py` registers, and a replay
hands over nothing. The writer behind it is `activities/status/writer.py`. A process that dies takes what it had not
written with it; `worker/offer_again.py` then signals every workflow that is not at rest, and a workflow at rest has the
write confirmed by an activity.
"""

from collections.abc import Callable
from typing import Any, Final

from temporalio import workflow

from activities.contract.payloads import StatusPatch, WorkspaceKey

OFFER: Final = "modelyard_offer_status"
FORGET: Final = "modelyard_forget_status"

Offer = Callable[[StatusPatch], None]
Forget = Callable[[WorkspaceKey], None]


def functions(offer: Offer, forget: Forget) -> dict[str, Callable[..., Any]]:
    """Returns the external functions for a worker. Both are called in threads of workflows, must not block and must not
    raise."""
    return {OFFER: offer, FORGET: forget}


def offer_status(patch: StatusPatch) -> None:
    """Hands a status to the worker's writer. Only for code of a workflow that is not replayed, and for queries."""
    workflow.extern_functions()[OFFER](patch)


def forget_status(key: WorkspaceKey) -> None:
    """Drops what the worker's writer has not written yet: the Workspace is gone, or is about to be."""
    if not workflow.unsafe.is_replaying():
        workflow.extern_functions()[FORGET](key)
