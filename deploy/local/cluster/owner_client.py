"""A minimal client of the local API server with the owner's rights: the few requests that setting up a cluster takes.

Synchronous and small on purpose: this is a tool on the cluster's own machine. The product has its own client.
"""

import json
import ssl
from typing import Any

import httpx

from deploy.local.cluster import certificates
from deploy.local.layout import Layout

REQUEST_S = 10.0
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
FIELD_MANAGER = "modelyard-local"


class ClusterApiError(RuntimeError):
    """The API server refused a request, or could not be reached (status 0)."""

    def __init__(self, method: str, path: str, status: int, message: str) -> None:
        self.status = status
        super().__init__(f"{method} {path}: {status or 'not reached'}: {message}")


def read(layout: Layout, path: str) -> dict[str, Any] | None:
    """Returns the object or list at an API path; None if it does not exist. Raises ClusterApiError."""
    try:
        return request(layout, "GET", path)
    except ClusterApiError as error:
        if error.status == 404:
            return None
        raise


def apply(layout: Layout, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """Server-side applies a whole object, with its fields owned by us. Raises ClusterApiError."""
    query = f"{path}?fieldManager={FIELD_MANAGER}&force=true"
    return request(layout, "PATCH", query, manifest, APPLY_PATCH)


def request(layout: Layout, method: str, path: str, body: Any = None, content_type: str = JSON_PATCH) -> dict[str, Any]:
    """Sends one request with the owner's certificate. Raises ClusterApiError."""
    data = None if body is None else json.dumps(body)
    # Newer API servers reject a discovery request that has no body but a Content-Type.
    headers = {} if data is None else {"Content-Type": content_type}
    url, context = layout.apiserver_url + path, _owner_context(layout)
    try:
        response = httpx.request(
            method, url, content=data, headers=headers, verify=context, timeout=REQUEST_S, trust_env=False
        )
    except httpx.HTTPError as error:
        raise ClusterApiError(method, path, 0, str(error)) from error
    if not response.is_success:
        raise ClusterApiError(method, path, response.status_code, _message(response.content))
    answer: dict[str, Any] = response.json()
    return answer


def owner_pair(layout: Layout) -> certificates.KeyPair:
    """Returns the owner's client certificate, which `kubeconfigs.write_admin_kubeconfig` has made."""
    return certificates.KeyPair(layout.pki / "client-stack-owner.crt", layout.pki / "client-stack-owner.key")


def _owner_context(layout: Layout) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
    pair = owner_pair(layout)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")[:300]
