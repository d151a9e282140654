"""Whether the worker may do its work in a namespace, asked before money is spent there.

Where an operator has bound the rights to some namespaces, the others are refused with a reason that says so. Whether a
single request is allowed is still the API server's to say: this asks for one right of a role that is bound as a whole.
"""

import time
from typing import Final

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.kubernetes import Cluster, Object
from activities.contract.failures import failure

REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
"""Every authenticated user may ask for itself (ClusterRole `system:basic-user`)."""
KEPT_S: Final = 600.0
"""A right that is there is asked for again after this time."""
REFUSED: Final = 403


class NamespaceRights:
    """Asks once for each namespace and KEPT_S; a refusal is asked for again at once, as it is being mended."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._allowed_until: dict[str, float] = {}

    async def require(self, namespace: str) -> None:
        """Raises ApiServerRefused if the worker may make no workload there, and errors of the API server. Where asking
        itself is forbidden, nothing is known, and nothing refused."""
        if time.monotonic() < self._allowed_until.get(namespace, 0.0):
            return
        if not await self._allowed(namespace):
            message = (
                f"namespace {namespace} does not take part: Modelyard may make nothing there. Add it to `namespaces` "
                "of the chart, or bind modelyard:namespaces and modelyard:pods in it"
            )
            raise failure("ApiServerRefused", message, status=REFUSED)
        self._allowed_until[namespace] = time.monotonic() + KEPT_S

    async def _allowed(self, namespace: str) -> bool:
        wanted = {"namespace": namespace, "verb": "create", "group": "apps", "resource": "deployments"}
        review: Object = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": wanted},
        }
        try:
            answer = await self._cluster.request("POST", REVIEWS, body=review)
        except ApiException as error:
            if error.status == REFUSED:
                return True
            raise
        return bool((answer.get("status") or {}).get("allowed"))
