"""Parses the bytes of a request into a Review, or raises an error that explains why they are not one.

The input is untrusted: any client that reaches the port can send anything. `review.py` decides which Workspaces are
allowed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

from api import labels
from api.configs.json_reading import read_json

BODY_LIMIT: Final = 8 * 2**20
"""Bytes. A review contains the object twice, and the API server accepts objects of up to 3 MiB (its request limit)."""
REVIEW_LIMITS: Final = {"CREATE": 2**18, "UPDATE": 2**20}
"""Largest review that is validated, in bytes: a Workspace has a few KiB. An update contains it twice, grown by
server-side fields; any Workspace that could be created can be edited. Reviews that skip validation pass at any size."""
REVIEW_VALUES: Final = 100_000
"""Values of a review, before it is read: five times as many as two objects with the most that the rules allow. One of
eight MiB may hold millions, and reading those took two seconds, in which nobody else was answered."""
UID_LIMIT: Final = 128

VERSION: Final = "admission.k8s.io/v1"
Operation = Literal["CREATE", "UPDATE", "DELETE"]
Document = Mapping[str, Any]


class Unreadable(ValueError):
    """The request is not a review that can be validated; `code` is an HTTP status, `uid` the review's UID."""

    def __init__(self, code: int, message: str, uid: str = "") -> None:
        self.code, self.uid = code, uid
        super().__init__(message)


@dataclass(frozen=True)
class Review:
    """An admission request. `document` is None for a delete, `old` for a create."""

    uid: str
    operation: Operation
    subresource: str
    namespace: str
    document: Document | None
    old: Document | None
    user: Document = field(default_factory=dict)
    """Who writes it, as the API server knows them: username, uid, groups, extra."""

    @cached_property
    def passes_unseen(self) -> bool:
        """Whether validation is skipped: for deletes, subresources and objects being deleted, so that cleanup is never
        blocked.

        Also for an update that changes nothing the rules cover. They ignore labels, finalizers and the status, so that
        a Workspace admitted under older rules can still be managed. A new object with a deletionTimestamp is validated;
        the API server would have removed the field.
        """
        if self.operation == "DELETE" or self.subresource:
            return True
        return self.operation == "UPDATE" and self.old is not None and (_being_deleted(self.old) or self._unchanged)

    @property
    def _unchanged(self) -> bool:
        return self.document is not None and _checked_part(self.old or {}) == _checked_part(self.document)


def read_review(body: bytes) -> Review:
    """Parses the review in a request's body. Raises Unreadable."""
    request = _request(_json(body))
    uid = _uid(request)
    review = Review(
        uid=uid,
        operation=_operation(request, uid),
        subresource=_text(request.get("subResource")),
        namespace=_text(request.get("namespace")),
        document=_object(request, "object", uid),
        old=_object(request, "oldObject", uid),
        user=_object(request, "userInfo", uid) or {},
    )
    try:
        passes = review.passes_unseen
    except RecursionError as error:
        raise Unreadable(400, "the Workspace is nested too deeply to be checked", uid) from error
    if not passes:
        _check_complete(review)
        _check_size(review, len(body))
    return review


def _json(body: bytes) -> Any:
    try:
        return read_json(body, values_max=REVIEW_VALUES, parse_constant=_no_constant)
    except ValueError as error:
        raise Unreadable(400, f"the request is not JSON: {error}") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _request(review: Any) -> dict[str, Any]:
    if not isinstance(review, dict) or review.get("kind") != "AdmissionReview":
        raise Unreadable(400, "the request is not an AdmissionReview")
    request = review.get("request")
    if not isinstance(request, dict):
        raise Unreadable(400, "the AdmissionReview has no request")
    if review.get("apiVersion") != VERSION:
        message = f"the AdmissionReview is not of {VERSION}; register the webhook with admissionReviewVersions [v1]"
        raise Unreadable(400, message, _text(request.get("uid"))[:UID_LIMIT])
    return request


def _uid(request: dict[str, Any]) -> str:
    uid = request.get("uid")
    if not isinstance(uid, str) or not 0 < len(uid) <= UID_LIMIT:
        raise Unreadable(400, f"request.uid must be a text of 1 to {UID_LIMIT} characters")
    return uid


def _operation(request: dict[str, Any], uid: str) -> Operation:
    match request.get("operation"):
        case "CREATE":
            return "CREATE"
        case "UPDATE":
            return "UPDATE"
        case "DELETE":
            return "DELETE"
    raise Unreadable(400, "request.operation must be CREATE, UPDATE or DELETE", uid)


def _object(request: dict[str, Any], field: str, uid: str) -> Document | None:
    found = request.get(field)
    if found is None or isinstance(found, dict):
        return found
    raise Unreadable(400, f"request.{field} must be an object", uid)


def _check_complete(review: Review) -> None:
    if review.document is None:
        raise Unreadable(400, "request.object is missing", review.uid)
    if review.operation == "UPDATE" and review.old is None:
        raise Unreadable(400, "request.oldObject is missing", review.uid)
    if review.document.get("kind") != labels.KIND:
        raise Unreadable(400, f"request.object is not a {labels.KIND}; only those are checked here", review.uid)


def _check_size(review: Review, size: int) -> None:
    limit = REVIEW_LIMITS[review.operation]
    if size > limit:
        message = f"the Workspace is too large: the review has {size} bytes, and {limit} is the limit"
        raise Unreadable(413, f"{message}; move what is large into a ConfigMap", review.uid)


def _being_deleted(document: Document) -> bool:
    metadata = document.get("metadata")
    return isinstance(metadata, Mapping) and bool(metadata.get("deletionTimestamp"))


def _checked_part(document: Document) -> dict[str, Any]:
    """Returns what a user writes: everything but the status, and only the annotations of the metadata."""
    metadata = document.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else metadata
    rest = {key: value for key, value in document.items() if key not in ("metadata", "status")}
    return rest | {"annotations": annotations or {}}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
