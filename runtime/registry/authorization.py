"""Answers a registry's challenge: with a password, with a token from its token service, or as a workload identity.

What it gives is the value of one Authorization header, kept until the registry refuses it. Tokens are asked for with
the rights that the work needs, and no more.
"""

from dataclasses import dataclass, field
from typing import Any

import httpx

from api.registries import AzureIdentity
from runtime.registry.azure_identity import refresh_token
from runtime.registry.challenges import Challenge, challenge_in, realm_problem
from runtime.registry.credentials import Credential
from runtime.registry.faults import RegistryFault, Trouble, fault_of, fault_of_transport

CLIENT_ID = "modelyard"


@dataclass
class Authorization:
    """For one registry and one scope such as repository:NAME:pull,push."""

    http: httpx.Client
    registry: str
    """Its URL, without a path."""
    scope: str
    credential: Credential | None = None
    identity: AzureIdentity | None = None
    _header: str | None = field(default=None, repr=False)

    def headers(self) -> dict[str, str]:
        """What a request carries; nothing before the registry has asked for something."""
        return {"Authorization": self._header} if self._header else {}

    def answer(self, response: httpx.Response, doing: str) -> None:
        """Prepares the answer to a 401. Raises RegistryFault when there is none."""
        challenge = challenge_in(response.headers.get("WWW-Authenticate", ""))
        if challenge is None:
            raise self._forbidden(doing, "it does not say how it wants to be asked")
        self._header = self._basic(doing) if challenge.scheme == "basic" else self._bearer(challenge, doing)

    @property
    def whose(self) -> str:
        """Whose rights are used, for messages."""
        if self.credential:
            return f"the Secret {self.credential.source}"
        return (
            f"the workload identity {self.identity.client_id}" if self._exchanged() and self.identity else "no Secret"
        )

    def _basic(self, doing: str) -> str:
        if self.credential is None or not self.credential.user:
            raise self._forbidden(doing, "it wants a user and a password")
        return self.credential.basic()

    def _bearer(self, challenge: Challenge, doing: str) -> str:
        problem = realm_problem(challenge.realm, self.registry.startswith("http://"))
        if problem:
            raise self._forbidden(doing, f"its token service cannot be used: {problem}")
        try:
            response = self._ask(challenge)
        except httpx.HTTPError as error:
            raise fault_of_transport(error, f"{doing}: asking for a token", _host(challenge.realm)) from None
        token = _token(response)
        if token:
            return f"Bearer {token}"
        if response.status_code in (400, 401, 403):
            raise self._forbidden(doing, f"{_host(challenge.realm)} gives no token ({response.status_code})")
        raise fault_of(response, f"{doing}: asking for a token")

    def _ask(self, challenge: Challenge) -> httpx.Response:
        asked = {"service": challenge.service, "scope": self.scope}
        identity = self._identity_token(challenge)
        if identity:
            form = asked | {"grant_type": "refresh_token", "refresh_token": identity, "client_id": CLIENT_ID}
            return self.http.post(challenge.realm, data=form)
        user = self.credential
        headers = {"Authorization": user.basic()} if user else {}
        more = {"account": user.user} if user else {}
        return self.http.get(challenge.realm, params=asked | more, headers=headers)

    def _identity_token(self, challenge: Challenge) -> str:
        if self.credential:
            return self.credential.identity
        if self._exchanged() and self.identity:
            return refresh_token(self.http, self.registry, challenge.service, self.identity)
        return ""

    def _exchanged(self) -> bool:
        return self.identity is not None and self.identity.is_for(_host(self.registry))

    def _forbidden(self, doing: str, why: str) -> RegistryFault:
        return RegistryFault(Trouble.FORBIDDEN, f"{doing}: {_host(self.registry)} refuses {self.whose}: {why}")


def _token(response: httpx.Response) -> str:
    try:
        said: Any = response.json()
    except ValueError:
        return ""
    if not response.is_success or not isinstance(said, dict):
        return ""
    return str(said.get("token") or said.get("access_token") or "")


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]
