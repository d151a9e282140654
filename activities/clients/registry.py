"""Checks two facts in an OCI registry: whether an account can pull an image, and whether it can push to a repository.

Downloads no image and leaves nothing behind: a HEAD request checks the manifest; an upload session is opened and
cancelled. Returns HTTP statuses; `preflight/verdicts.py` decides what they mean for a Workspace. Why a host that a user
has named cannot be reached is in the log only: a status with it would map the operator's network.
"""

import asyncio
import logging
import ssl
from collections.abc import Collection
from contextlib import suppress
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx2 as httpx

from activities.clients.guarded_network import Guard, GuardedTransport
from activities.clients.host_names import Resolve, system_resolve
from api.addresses import AddressRefused, check_registry
from api.oci.challenge import Challenge, challenge_in, realm_problem
from api.oci.docker_config import Account
from api.oci.image_reference import ImageReference
from api.oci.token_exchange import token_in, token_request

ANSWER_S: Final = 8.0
"""For one check with all its requests; below the ten seconds of an activity that does not heartbeat."""
LARGEST_ANSWER: Final = 1 << 20
MANIFESTS: Final = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_FAULTS: Final = (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, RecursionError)
"""What httpx, urllib and the resolver raise for a server or a URL that cannot be used; ValueError covers IDNA's."""
_LOGGED: Final = 300
"""Characters of a cause, which may quote the server."""

log = logging.getLogger(__name__)


class RegistryUnreachable(Exception):
    """The registry gave no usable response; the message names the registry, and the cause if the operator named it."""


class Registries:
    """A stateless client. `plain_http` are hosts (with port) that are reached without TLS at any address; all others,
    which users name, only at addresses that are allowed for registries."""

    def __init__(
        self, plain_http: Collection[str] = (), *, answer_s: float = ANSWER_S, resolve: Resolve = system_resolve
    ) -> None:
        self._plain_http = frozenset(plain_http)
        self._answer_s, self._resolve = answer_s, resolve
        self._tls: ssl.SSLContext | None = None

    async def manifest(self, image: ImageReference, account: Account | None = None) -> int:
        """Returns the status of a HEAD for the image's manifest: 200 if it exists. Raises RegistryUnreachable."""
        path = f"/v2/{image.repository}/manifests/{image.version}"
        return (await self._request(image, "HEAD", path, account, "pull")).status_code

    async def digest(self, image: ImageReference, account: Account | None = None) -> str:
        """Returns the digest of the image's manifest in the registry; empty if it is missing or not reported. Raises
        RegistryUnreachable."""
        path = f"/v2/{image.repository}/manifests/{image.version}"
        response = await self._request(image, "HEAD", path, account, "pull")
        return response.headers.get("docker-content-digest", "") if response.status_code == httpx.codes.OK else ""

    async def push(self, image: ImageReference, account: Account | None = None) -> int:
        """Returns the status of opening an upload session: 202 if the account may push. Raises
        RegistryUnreachable."""
        opened = await self._request(image, "POST", f"/v2/{image.repository}/blobs/uploads/", account, "pull,push")
        return opened.status_code

    async def _request(
        self, image: ImageReference, method: str, path: str, account: Account | None, right: str
    ) -> httpx.Response:
        url = f"{self._scheme(image.host)}://{image.host}{path}"
        scope = f"repository:{image.repository}"
        try:
            async with asyncio.timeout(self._answer_s), self._client(image.host) as client:
                response = await self._send(client, method, url, account, f"{scope}:{right}")
                if response.status_code == httpx.codes.ACCEPTED and "location" in response.headers:
                    await self._cancel_upload(client, response, account, f"{scope}:delete")
                return response
        except TimeoutError:
            raise self._unreachable(image.host, f"did not answer within {self._answer_s:g} s") from None
        except (AddressRefused, RegistryUnreachable) as refused:
            raise self._unreachable(image.host, str(refused)) from None
        except _FAULTS as error:
            raise self._unreachable(image.host, f"cannot be reached: {type(error).__name__}: {error}") from None

    def _unreachable(self, host: str, cause: str) -> RegistryUnreachable:
        if host in self._plain_http:
            return RegistryUnreachable(f"{host}: {cause}")
        log.info("registry %s: %s", host, ascii(cause[:_LOGGED]))
        return RegistryUnreachable(
            f"{host} gave no usable answer at an address that is allowed. Check the name; the operator finds the cause "
            "in the worker's log"
        )

    async def _cancel_upload(
        self, client: httpx.AsyncClient, opened: httpx.Response, account: Account | None, scope: str
    ) -> None:
        """Cancels the upload. Best effort: registries expire abandoned uploads, and push rights do not imply delete.
        Sends credentials to the registry's own scheme, host and port only."""
        with suppress(RegistryUnreachable, *_FAULTS):
            upload = urlsplit(urljoin(str(opened.url), opened.headers["location"]))
            if (upload.scheme, upload.netloc) == (opened.url.scheme, opened.url.netloc.decode()):
                await self._send(client, "DELETE", upload.geturl(), account, scope)

    async def _send(
        self, client: httpx.AsyncClient, method: str, url: str, account: Account | None, scope: str
    ) -> httpx.Response:
        """Returns the response, after answering the registry's authentication challenge if there is one."""
        headers = {"Accept": MANIFESTS}
        response = await client.request(method, url, headers=headers)
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return response
        authorization = await self._authorization(client, response, account, scope)
        if authorization is None:
            return response
        return await client.request(method, url, headers=headers | {"Authorization": authorization})

    async def _authorization(
        self, client: httpx.AsyncClient, refused: httpx.Response, account: Account | None, scope: str
    ) -> str | None:
        """Returns the Authorization header for the challenge; None if it requires an account and none is given."""
        challenge = challenge_in(refused.headers.get("www-authenticate", ""))
        if challenge is None:
            return None
        if challenge.scheme == "basic":
            return (account and account.basic()) or None
        token = await self._token(client, challenge, account, scope)
        return f"Bearer {token}" if token else None

    async def _token(
        self, client: httpx.AsyncClient, challenge: Challenge, account: Account | None, scope: str
    ) -> str | None:
        if problem := realm_problem(challenge.realm, self._plain_http):
            raise RegistryUnreachable(f"the registry's token service cannot be used: {problem}")
        request = token_request(challenge, scope, account)
        url = httpx.URL(request.url).copy_merge_params(request.query)
        response = await client.request(request.method, url, data=request.form or None, headers=request.headers)
        return token_in(response.content) if response.is_success else None

    def _check_addresses(self, host: str, port: int, addresses: list[str]) -> None:
        check_registry(host, port, addresses, named=self._plain_http)

    def _scheme(self, netloc: str) -> str:
        return "http" if netloc in self._plain_http else "https"

    def _client(self, host: str) -> httpx.AsyncClient:
        # Reading the certificates again for every client would block the whole worker for a tenth of a second.
        self._tls = self._tls or httpx.create_ssl_context()
        # The environment's proxy leads outside the network, where a registry without TLS is never reached.
        guard = Guard(self._check_addresses, LARGEST_ANSWER, self._resolve)
        transport = GuardedTransport(guard, self._tls, proxies=host not in self._plain_http)
        return httpx.AsyncClient(
            transport=transport, timeout=self._answer_s, follow_redirects=False, headers={"Accept-Encoding": "identity"}
        )
