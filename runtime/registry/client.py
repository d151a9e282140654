"""One repository of one registry, over the OCI distribution API: blobs and manifests, in both directions.

Sends each request once, and again only after an authentication challenge; retries are left to `retry.py`. Every failure
is a RegistryFault. Redirects are followed without credentials and never to loopback, link-local or cloud metadata
addresses, checked before and after name resolution. A registry and its storage may have private addresses.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from api.addresses import AddressRefused, check_registry, problem_of_host
from api.oci.docker_config import Account
from api.oci.image_reference import ImageReference
from api.pods.registries import RegistryAccess
from runtime.pod.guarded_network import STREAMED, Guard, GuardedTransport, Resolve, system_resolve
from runtime.registry.authorization import Authorization
from runtime.registry.blobs import CHUNK, Blob
from runtime.registry.faults import TRANSPORT_ERRORS, RegistryFault, Trouble, fault_of, fault_of_transport

CONNECT_S: Final = 15.0
ANSWER_STALLS: Final = 2
"""Multiple of `stall_s` within which any response but a blob must be complete."""
ANSWER_MAX: Final = 4 * 2**20
"""Bytes; the manifest size that the distribution API asks registries to accept. Only blobs are longer."""


@dataclass(frozen=True)
class Repository:
    """The repository's URL and the credentials for it."""

    http: httpx.Client
    image: ImageReference
    url: str
    authorization: Authorization

    def blob_size(self, blob: str) -> int | None:
        """Returns the length of a blob in bytes; None if the registry does not have it."""
        response = self._ask("HEAD", f"blobs/{blob}", f"looking for {blob[:19]} in {self.image.repository}")
        if response.status_code == 404:
            return None
        return int(_checked(response, f"looking for {blob[:19]}").headers.get("Content-Length", -1))

    def upload(self, blob: Blob) -> None:
        """Uploads a blob in one stream; the registry verifies the digest."""
        doing = f"pushing {blob.digest[:19]} to {self.image.repository}"
        opened = _checked(self._ask("POST", "blobs/uploads/", doing), doing, 202)
        try:
            place = opened.request.url.join(opened.headers.get("Location", ""))
            target = place.copy_merge_params({"digest": blob.digest})
        except TRANSPORT_ERRORS as error:
            raise fault_of_transport(error, doing, self.image.host) from None
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
        _checked(self._send("PUT", target, doing, headers, blob), doing, 201)

    def put_manifest(self, manifest: bytes, media_type: str, which: str) -> None:
        """Stores a manifest under a tag or digest."""
        doing = f"pushing the manifest to {self.image.repository}:{which}"
        response = self._ask("PUT", f"manifests/{which}", doing, {"Content-Type": media_type}, manifest)
        _checked(response, doing, 201)

    def manifest(self, which: str, accept: str) -> tuple[bytes, str]:
        """Returns a manifest and its media type."""
        doing = f"reading the manifest of {self.image.repository}:{which[:19]}"
        response = _checked(self._ask("GET", f"manifests/{which}", doing, {"Accept": accept}), doing)
        return response.content, response.headers.get("Content-Type", "").partition(";")[0]

    def lists_referrers(self, digest: str) -> bool:
        """Returns whether the registry lists what refers to an image; those before version 1.1 of the API do not."""
        return self._ask("GET", f"referrers/{digest}", f"looking for referrers of {digest[:19]}").is_success

    @contextmanager
    def blob(self, digest: str, offset: int) -> Iterator[tuple[bool, Iterator[bytes]]]:
        """Yields whether the registry honoured `offset` (else it begins at 0), and the bytes of the blob."""
        doing = f"pulling {digest[:19]} of {self.image.repository}"
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        url = httpx.URL(f"{self.url}/v2/{self.image.repository}/blobs/{digest}")
        try:
            with self._streamed(url, headers, doing) as response:
                if response.status_code not in (200, 206):
                    response.read()
                    raise fault_of(response, doing)
                yield response.status_code == 206, response.iter_raw(CHUNK)
        except TRANSPORT_ERRORS as error:
            raise fault_of_transport(error, doing, self.image.host) from None

    @contextmanager
    def _streamed(self, url: httpx.URL, headers: dict[str, str], doing: str) -> Iterator[httpx.Response]:
        for _ in range(2):
            sent = headers | self.authorization.headers()
            with self.http.stream("GET", url, headers=sent, extensions=STREAMED) as response:
                if response.status_code != 401:
                    yield response
                    return
                response.read()
                self.authorization.answer(response, doing)
        raise self._refused(doing, response)

    def _ask(
        self, method: str, path: str, doing: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> httpx.Response:
        url = httpx.URL(f"{self.url}/v2/{self.image.repository}/{path}")
        return self._send(method, url, doing, headers or {}, body)

    def _send(
        self, method: str, url: httpx.URL, doing: str, headers: Mapping[str, str], body: Blob | bytes | None
    ) -> httpx.Response:
        for _ in range(2):
            # The upload's Location may be another host, which must not receive our credentials.
            ours = self.authorization.headers() if _origin(url) == _origin(httpx.URL(self.url)) else {}
            content = body.content() if isinstance(body, Blob) else body
            try:
                response = self.http.request(method, url, headers={**headers, **ours}, content=content)
            except TRANSPORT_ERRORS as error:
                raise fault_of_transport(error, doing, self.image.host) from None
            if response.status_code != 401:
                return response
            self.authorization.answer(response, doing)
        raise self._refused(doing, response)

    def _refused(self, doing: str, response: httpx.Response) -> RegistryFault:
        fault = fault_of(response, doing)
        return RegistryFault(fault.trouble, f"{fault} with {self.authorization.whose}")


@contextmanager
def repository(
    image: ImageReference,
    access: RegistryAccess,
    account: Account | None,
    rights: str,
    stall_s: float,
    resolve: Resolve = system_resolve,
) -> Iterator[Repository]:
    """Opens a repository. `rights` is pull or pull,push; `stall_s` is the longest time in seconds without a byte."""
    url = f"{'http' if image.host in access.plain_http else 'https'}://{image.host}"
    leads = _Guard(_host(httpx.URL(url)), access.allowed_hosts, access.plain_http)
    guard = Guard(leads.check_addresses, ANSWER_STALLS * stall_s, ANSWER_MAX, resolve)
    with httpx.Client(
        transport=GuardedTransport(guard, httpx.create_ssl_context(), proxies=True),
        timeout=httpx.Timeout(stall_s, connect=CONNECT_S),
        headers={"User-Agent": "modelyard", "Accept-Encoding": "identity"},
        follow_redirects=True,
        max_redirects=5,
        event_hooks={"request": [leads.check_name]},
    ) as http:
        scope = f"repository:{image.repository}:{rights}"
        yield Repository(http, image, url, Authorization(http, url, scope, account, access.azure, access.plain_http))


@dataclass(frozen=True)
class _Guard:
    """Refuses forbidden hosts in a registry's Location or realm, by name and by resolved address."""

    registry: str
    allowed_hosts: tuple[str, ...]
    plain_http: tuple[str, ...]

    def check_addresses(self, host: str, port: int, addresses: list[str]) -> None:
        try:
            check_registry(host, port, addresses, named=(*self.allowed_hosts, *self.plain_http))
        except AddressRefused as refused:
            raise RegistryFault(Trouble.REJECTED, str(refused)) from None

    def check_name(self, request: httpx.Request) -> None:
        host = _host(request.url)
        if host == self.registry:
            return
        problem = problem_of_host(host, self.allowed_hosts)
        if problem:
            raise RegistryFault(Trouble.REJECTED, f"{self.registry} redirects to another host: {problem}")


def _checked(response: httpx.Response, doing: str, status: int | None = None) -> httpx.Response:
    if response.status_code == status or (status is None and response.is_success):
        return response
    raise fault_of(response, doing)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, _host(url), url.port


def _host(url: httpx.URL) -> str:
    """Returns the host as it is resolved; httpx's `host` decodes punycode, and raises where there is none in it."""
    return url.raw_host.decode("ascii")
