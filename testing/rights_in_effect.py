"""When a binding of a role is in effect: the API server hears of roles by a watch of its own, a moment after taking the
binding.
"""

import time
from typing import Final

from deploy.local.cluster import owner_client
from deploy.local.layout import Layout
from testing.deadlines import PATIENCE_S

REVIEWS: Final = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
POLL_S: Final = 0.1


def await_right(layout: Layout, user: str, verb: str, resource: str, *, group: str = "", namespace: str = "") -> None:
    """Returns when the user may do it; an empty namespace means all. Raises AssertionError, ClusterApiError."""
    wanted = {"namespace": namespace, "verb": verb, "group": group, "resource": resource}
    review = {"spec": {"user": user, "resourceAttributes": wanted}}
    ends = time.monotonic() + PATIENCE_S
    while not owner_client.request(layout, "POST", REVIEWS, review, "application/json")["status"]["allowed"]:
        assert time.monotonic() < ends, f"{user} may still not {verb} {resource}"
        time.sleep(POLL_S)
