"""Asks an OCI registry two questions: is this image there for this account, and may this account push here.

Reads no image and leaves nothing behind: a manifest is asked for by HEAD, an upload is opened and cancelled. The
answers are HTTP statuses; `workload_preflight.py` decides what they mean for a Workspace.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

from activities.registry_secrets import Account
from api.addresses import refused_as
from api.validation.image_references import ImageName

ANSWER_S: Final = 8.0
"""For one question with everything that it takes; below the ten seconds of an activity that does not heartbeat."""
LARGEST_TOKEN: Final = 64 << 10
MANIFESTS: Final = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_INSIDE: Final = ("private", "carrier")
"""Registries may well stand in a private network. Nobody's stands at a loopback, link-local or metadata address."""
_CHALLENGE = re.compile(r'(realm|service|scope)="([^"]*)"', re.IGNORECASE)


class RegistryUnreachable(Exception):
    """The registry gave no answer that can be used; the text names it and says what happened."""


class Registries:
    """A client without memory. `plain_http` are hosts (with port) that are asked without TLS and wherever they are."""

    def __init__(self, plain_http: Collection[str] = ()) -> None:
        self._plain_http = frozenset(plain_http)
        self._tls: ssl.SSLContext | None = None

    async def manifest(self, image: ImageName, account: Account | None = None) -> int:
        """The status of a HEAD for the image's manifest: 200 where it is there. Raises RegistryUnreachable."""
        path = f"/v2/{image.path}/manifests/{image.version}"
        return (await self._asked(image, "HEAD", path, account, "pull")).status_code

    async def digest(self, image: ImageName, account: Account | None = None) -> str:
        """The digest that the image's manifest has in the registry; empty where it is not there or not said. Raises
        RegistryUnreachable."""
        path = f"/v2/{image.path}/manifests/{image.version}"
        answer = await self._asked(image, "HEAD", path, account, "pull")
        return answer.headers.get("docker-content-digest", "") if answer.status_code == httpx.codes.OK else ""

    async def push(self, image: ImageName, account: Account | None = None) -> int:
        """The status of the request for an upload session: 202 where the account may push. Raises
        RegistryUnreachable."""
        opened = await self._asked(image, "POST", f"/v2/{image.path}/blobs/uploads/", account, "pull,push")
        return opened.status_code

    async def _asked(
        self, image: ImageName, method: str, path: str, account: Account | None, right: str
    ) -> httpx.Response:
        url = f"{self._scheme(image.host)}://{image.host}{path}"
        try:
            async with asyncio.timeout(ANSWER_S), self._client(image.host) as client:
                await self._check_address(image.host)
                response = await self._answered(client, image, method, url, account, right)
                if response.status_code == httpx.codes.ACCEPTED and "location" in response.headers:
                    await self._cancelled(client, image, response, account)
                return response
        except TimeoutError:
            raise RegistryUnreachable(f"{image.host} did not answer within {ANSWER_S:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise RegistryUnreachable(f"{image.host} cannot be reached: {type(error).__name__}: {error}") from None

    async def _cancelled(
        self, client: httpx.AsyncClient, image: ImageName, opened: httpx.Response, account: Account | None
    ) -> None:
        """Ends the upload that was opened. Registries forget it by themselves, so a refusal is no matter: not everybody
        who may push may delete. Another host than the registry's own gets no credentials of ours."""
        upload = urljoin(str(opened.url), opened.headers["location"])
        if urlsplit(upload).netloc == opened.url.netloc.decode():
            await self._answered(client, image, "DELETE", upload, account, "delete")

    async def _answered(
        self, client: httpx.AsyncClient, image: ImageName, method: str, url: str, account: Account | None, right: str
    ) -> httpx.Response:
        """The answer, after the registry's challenge where it has one."""
        headers = {"Accept": MANIFESTS}
        response = await client.request(method, url, headers=headers)
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return response
        authorization = await self._authorization(client, response, image, account, right)
        if authorization is None:
            return response
        return await client.request(method, url, headers=headers | {"Authorization": authorization})

    async def _authorization(
        self, client: httpx.AsyncClient, refused: httpx.Response, image: ImageName, account: Account | None, right: str
    ) -> str | None:
        """What the challenge asks for; None where that takes an account and there is none."""
        kind, _, rest = refused.headers.get("www-authenticate", "").partition(" ")
        basic = httpx.BasicAuth(account.user, account.password) if account else None
        if kind.lower() == "basic":
            return next(basic.auth_flow(refused.request)).headers["Authorization"] if basic else None
        if kind.lower() != "bearer":
            return None
        asked = {key.lower(): value for key, value in _CHALLENGE.findall(rest)}
        token = await self._token(client, asked, f"repository:{image.path}:{right}", basic)
        return f"Bearer {token}" if token else None

    async def _token(
        self, client: httpx.AsyncClient, asked: Mapping[str, str], scope: str, basic: httpx.BasicAuth | None
    ) -> str | None:
        realm = asked.get("realm", "")
        parts = urlsplit(realm)
        if parts.scheme != self._scheme(parts.netloc):
            raise RegistryUnreachable(f"the registry sends us to {parts.netloc or 'nowhere'} without TLS for a token")
        await self._check_address(parts.netloc)
        query = {"scope": scope} | ({"service": asked["service"]} if asked.get("service") else {})
        answer = await client.get(httpx.URL(realm).copy_merge_params(query), auth=basic)
        if answer.is_error or len(answer.content) > LARGEST_TOKEN:
            return None
        try:
            document = answer.json()
        except ValueError:
            return None
        token = document.get("token") or document.get("access_token") if isinstance(document, dict) else None
        return token if isinstance(token, str) else None

    async def _check_address(self, netloc: str) -> None:
        """Raises RegistryUnreachable for a host that leads where no registry stands: users write these names."""
        if netloc in self._plain_http:
            return
        host = urlsplit(f"//{netloc}").hostname or ""
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        for *_, address in found:
            kind = refused_as(ip_address(str(address[0]).partition("%")[0]))
            if kind and not any(word in kind for word in _INSIDE):
                raise RegistryUnreachable(f"{host} leads to {address[0]}, which is {kind}, and is not asked")

    def _scheme(self, netloc: str) -> str:
        return "http" if netloc in self._plain_http else "https"

    def _client(self, host: str) -> httpx.AsyncClient:
        # Reading the certificates anew for every client would keep the whole worker for a tenth of a second.
        self._tls = self._tls or httpx.create_ssl_context()
        # A proxy of the environment leads outside, where a registry without TLS is never reached.
        return httpx.AsyncClient(
            verify=self._tls, timeout=ANSWER_S, follow_redirects=False, trust_env=host not in self._plain_http
        )
