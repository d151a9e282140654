"""`/_control/`: settings and state of a running mirror, for tests and `modelyard local fault`.

No authentication: the mirror serves a local stack's own network only. Tokens are write-only.
"""

from typing import Any

from fastapi import APIRouter

from deploy.local.mirror.access import AccessRules
from deploy.local.mirror.delivery import Pace
from deploy.local.mirror.faults import Fault
from deploy.local.mirror.mirror import Answered, Mirror


def control_router(mirror: Mirror) -> APIRouter:
    """GET state and requests; PUT access, pace and faults (each replaces what was set); DELETE requests."""
    router = APIRouter(prefix="/_control")

    @router.get("/state")
    def state() -> dict[str, Any]:
        access = mirror.rules.access
        return {
            "repos": access.repos,
            "users": {token.user: token.repos for token in access.tokens.values()},
            "pace": mirror.rules.pace,
            "faults": mirror.faults,
        }

    @router.put("/access")
    def put_access(access: AccessRules) -> None:
        mirror.rules.access = access
        mirror.keep_rules()

    @router.put("/pace")
    def put_pace(pace: Pace) -> None:
        mirror.rules.pace = pace
        mirror.keep_rules()

    @router.put("/faults")
    def put_faults(faults: list[Fault]) -> None:
        mirror.faults[:] = faults

    @router.get("/requests")
    def requests() -> list[Answered]:
        return list(mirror.requests)

    @router.delete("/requests")
    def forget_requests() -> None:
        mirror.requests.clear()

    return router
