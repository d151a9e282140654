"""Asks the API server whether who writes a pod template may create pods there: a template becomes a pod as it is.

Asked for new and changed templates only, so that nobody who edits something else, no controller and no clean-up ever
waits for it. What a template may hold is the policy's (`api/policy`).
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final, Protocol

from activities.clients.kubernetes import REQUEST_ERRORS, Cluster
from admin.webhook.admission_review import Document, Review
from api.validation import Problem
from api.validation.document import Part
from api.validation.problem import shown

log = logging.getLogger(__name__)

PATH: Final = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
ASK_S: Final = 1.0
TEMPLATE: Final = "inference.template"
RULE: Final = "P11"


class Permissions(Protocol):
    """Who may write what."""

    async def problems(self, review: Review) -> Sequence[Problem]:
        """What the user of the review may not write."""


class NotAsked:
    """Nobody is asked: everybody may write what the rules admit."""

    async def problems(self, review: Review) -> Sequence[Problem]:
        """None."""
        return ()


NOBODY_ASKED: Final = NotAsked()


class ClusterPermissions:
    """By the cluster's own authorisation."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def problems(self, review: Review) -> Sequence[Problem]:
        """P11 for a template of somebody who may not create pods, or of whom that cannot be found out."""
        if not needs_pods(review):
            return ()
        name = str(review.user.get("username", ""))
        try:
            async with asyncio.timeout(ASK_S):
                answer = await self._cluster.request("POST", PATH, body=access_review(review))
        except REQUEST_ERRORS as error:
            log.warning("the rights of the author of review %s cannot be asked for: %r", review.uid, error)
            message = f"whether user {shown(name)} may create pods in namespace {review.namespace} could not be asked"
            return [Problem(RULE, TEMPLATE, f"{message}, and a pod template needs that right: try again")]
        if Part("", answer)["status"]["allowed"].value is True:
            return ()
        message = f"user {shown(name)} may not create pods in namespace {review.namespace}, and a pod template is a pod"
        return [Problem(RULE, TEMPLATE, f"{message}: use a preset, or have that right given")]


def needs_pods(review: Review) -> bool:
    """Whether the review brings a template that was not there, or is another one now."""
    if review.passes_unseen or review.document is None:
        return False
    new = _template(review.document)
    old = _template(review.old) if review.operation == "UPDATE" else None
    return new is not None and new != old


def access_review(review: Review) -> dict[str, Any]:
    """The question, with the user as the API server described them."""
    user = {"user": review.user.get("username"), "uid": review.user.get("uid")}
    user |= {key: review.user.get(key) for key in ("groups", "extra")}
    attributes = {"namespace": review.namespace, "verb": "create", "version": "v1", "resource": "pods"}
    spec = {key: value for key, value in user.items() if value}
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": spec | {"resourceAttributes": attributes},
    }


def _template(document: Document | None) -> Any:
    return Part("", document)["inference"]["template"].value
