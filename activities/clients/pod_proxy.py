"""Asks pods over HTTP, and reads their logs, through the API server: that works from outside the cluster's network too.

As an identity of its own, which may ask pods and do nothing else; our own has no right to
(docs/decisions/021-pods-are-asked-by-another-identity.md). A pod may be a stranger's, so nothing that it sends is
quoted; what its answers mean is decided by those who ask.
"""

from http import HTTPStatus
from typing import Final

from kubernetes.aio.client.exceptions import ApiException

from activities.clients.api_server.paths import path_of, pod_proxy_path
from activities.clients.api_server.transport import LARGEST_FROM_POD, AnswerInvalid
from activities.clients.kubernetes import Cluster, Object

IDENTITY: Final = "modelyard:pods"
"""The user that `deploy/rbac` gives `pods/proxy` and `pods/log`, and whom the worker's role lets it impersonate."""
LOG_LINES: Final = 60
LOG_BYTES: Final = 256 << 10
"""Of the last lines of a log; of longer lines than any that people write, the beginning of the first ones."""
LOG_S: Final = 10.0


class PodAnswerInvalid(Exception):
    """A pod answered with something that cannot be used. The message names the kind of fault and quotes nothing."""


class PodProxy:
    """Asks pods by name and port."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def post(self, namespace: str, pod: str, port: int, path: str, body: Object, timeout_s: float) -> Object:
        """Sends a POST and returns the JSON object. Raises what `_ask` raises."""
        return await self._ask("POST", namespace, pod, port, path, body, timeout_s)

    async def get(self, namespace: str, pod: str, port: int, path: str, timeout_s: float) -> Object:
        """Sends a GET and returns the JSON object. Raises what `_ask` raises."""
        return await self._ask("GET", namespace, pod, port, path, None, timeout_s)

    async def log(self, namespace: str, pod: str, container: str, *, previous: bool) -> str:
        """Returns the last lines of a container's log, of the run before if `previous`. Raises what `_ask` raises."""
        query = {"container": container, "tailLines": str(LOG_LINES), "limitBytes": str(LOG_BYTES)}
        path = f"{path_of('Pod', namespace, pod)}/log"
        query |= {"previous": "true"} if previous else {}
        try:
            return await self._cluster.read_text(path, query=query, timeout_s=LOG_S, impersonate=IDENTITY)
        except ApiException as error:
            raise ApiException(status=error.status, reason=_name(error.status)) from None
        except AnswerInvalid as error:
            raise PodAnswerInvalid(str(error)) from None

    async def _ask(
        self, method: str, namespace: str, pod: str, port: int, path: str, body: Object | None, timeout_s: float
    ) -> Object:
        """Raises ApiException with the status and HTTP's own name for it, PodAnswerInvalid for an answer that is no
        JSON object or is too long, aiohttp.ClientError and TimeoutError if none comes."""
        target = pod_proxy_path(namespace, pod, port, path)
        try:
            return await self._cluster.request(
                method, target, body=body, timeout_s=timeout_s, impersonate=IDENTITY, most=LARGEST_FROM_POD
            )
        except ApiException as error:
            # Not `from`: a log would write what the pod has sent.
            raise ApiException(status=error.status, reason=_name(error.status)) from None
        except AnswerInvalid as error:
            raise PodAnswerInvalid(str(error)) from None


def _name(status: int | None) -> str:
    if status is not None and 300 <= status <= 399:
        return "a redirect, and none is followed"
    try:
        return HTTPStatus(status or 0).phrase
    except ValueError:
        return "a status that HTTP does not know"
