"""What can happen to one call of an activity: it takes long before or after its effect, it fails before or after it."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from activities.contract import queues
from activities.contract.failures import failure
from activities.contract.signatures import Signature
from activities.heartbeat import heartbeating

SOON = timedelta(milliseconds=20)

Kind = Literal["none", "passing", "final", "not-joined"]


@dataclass(frozen=True)
class Trouble:
    """Seconds before and after the effect, and a failure: `lost` tells that the effect came about all the same."""

    before_s: float = 0.0
    after_s: float = 0.0
    fails: Kind = "none"
    lost: bool = False


async def in_trouble(trouble: Trouble, signature: Signature[Any, Any], effect: Callable[[], Any]) -> Any:
    """Does the effect, or not, and answers, or not. A cancellation arrives where the activity waits."""
    async with heartbeating() if signature.waits else nullcontext():
        await asyncio.sleep(trouble.before_s)
        if trouble.fails != "none" and not trouble.lost:
            raise _error(trouble.fails, signature)
        result = effect()
        await asyncio.sleep(trouble.after_s)
        if trouble.fails != "none":
            raise _error(trouble.fails, signature)
        return result


def _error(kind: Kind, signature: Signature[Any, Any]) -> Exception:
    if kind == "passing":
        busy = "CloudBusy" if signature.queue == queues.CLOUD else "ApiServerUnavailable"
        return failure(busy, f"{signature.name} fails for a moment", retry_after=SOON)
    if kind == "not-joined" and signature.name == "wait_for_nodes":
        return failure("NodeNotJoined", "0 of 1", final=True)
    return failure("CloudForbidden", f"{signature.name} may not be done")
