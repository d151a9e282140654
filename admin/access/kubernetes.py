"""Asks the API server who has a token (TokenReview) and whether they have a right (SubjectAccessReview).

So the cluster's RBAC is the only policy, and the tokens are those that kubectl has. Answers hold for some seconds
(`recent.py`); a token is kept as its hash only.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any, Final

from activities.clients.kubernetes import REQUEST_ERRORS, Cluster, Object
from admin.access.identity import Identity, Refused
from admin.access.recent import Recent
from admin.access.rights import Right
from api import labels

TOKEN_REVIEWS: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCESS_REVIEWS: Final = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
REVIEW_S: Final = 5.0
REVIEWS_AT_ONCE: Final = 16
"""Strangers' tokens cost a request each, and must not take all of the API server's time for us."""
MAKE_TOKEN: Final = "`kubectl create token SERVICEACCOUNT --namespace NAMESPACE{}`"


class KubernetesAccess:
    """The cluster's answers. `audiences`: those of which a token must have one; without any, the API server's own."""

    def __init__(self, cluster: Cluster, audiences: Sequence[str] = ()) -> None:
        self._cluster, self._audiences = cluster, tuple(audiences)
        self._identities: Recent[bytes, Identity | None] = Recent()
        self._rights: Recent[tuple[Any, ...], bool] = Recent()
        self._slots = asyncio.Semaphore(REVIEWS_AT_ONCE)

    async def identify(self, token: str) -> Identity:
        """Returns whose token it is. Raises Refused, with 401 for one that is not valid."""
        make = MAKE_TOKEN.format(f" --audience {self._audiences[0]}" if self._audiences else "")
        if not token:
            raise Refused(401, f"send a token of Kubernetes as `Authorization: Bearer TOKEN`; {make} makes one")
        key = hashlib.sha256(token.encode()).digest()
        found = await self._identities.get(key, lambda: self._reviewed(token))
        if found is None:
            raise Refused(401, f"the token is not valid: expired, or for another audience or cluster; {make} makes one")
        return found

    async def require(self, identity: Identity, right: Right) -> None:
        """Raises Refused, with 403 without the right."""
        groups, extra = tuple(identity.groups), tuple((name, tuple(given)) for name, given in identity.extra.items())
        key = (identity.name, identity.uid, groups, extra, right)
        if not await self._rights.get(key, lambda: self._allowed(identity, right)):
            raise Refused(
                403,
                f"{identity.name!r} may not {right.shown}: a Role or ClusterRole must give the right. "
                f"`{right.shown_by}` shows whether one does",
            )

    async def _reviewed(self, token: str) -> Identity | None:
        spec: Object = {"token": token} | ({"audiences": list(self._audiences)} if self._audiences else {})
        status = await self._review(TOKEN_REVIEWS, "authentication.k8s.io/v1", "TokenReview", spec)
        user = status.get("user") or {}
        if not status.get("authenticated") or not user.get("username"):
            return None
        # An authenticator that knows no audiences names none: its tokens are for the API server.
        if self._audiences and not set(self._audiences) & set(status.get("audiences") or ()):
            return None
        return Identity(user["username"], user.get("uid") or "", user.get("groups") or (), user.get("extra") or {})

    async def _allowed(self, identity: Identity, right: Right) -> bool:
        attributes = {
            "group": labels.GROUP,
            "resource": labels.PLURAL,
            "verb": right.verb,
            "namespace": right.namespace,
            "name": right.name,
        }
        spec: Object = {
            "user": identity.name,
            "uid": identity.uid,
            "groups": list(identity.groups),
            "extra": {name: list(given) for name, given in identity.extra.items()},
            "resourceAttributes": attributes,
        }
        status = await self._review(ACCESS_REVIEWS, "authorization.k8s.io/v1", "SubjectAccessReview", spec)
        return status.get("allowed") is True

    async def _review(self, path: str, version: str, kind: str, spec: Object) -> Object:
        """Returns the status. Raises Refused (503) without one."""
        body = {"apiVersion": version, "kind": kind, "spec": spec}
        try:
            async with self._slots, asyncio.timeout(REVIEW_S):
                answer = await self._cluster.request("POST", path, body=body)
        except REQUEST_ERRORS as error:
            status = getattr(error, "status", None)
            why = f"it answers {status}" if status else "it does not answer"
            raise Refused(
                503,
                f"the API server cannot be asked for a {kind} ({why}): check that it is up, and that the admin "
                "service has the rights of deploy/rbac",
            ) from None
        found = answer.get("status")
        return found if isinstance(found, dict) else {}
