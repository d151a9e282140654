"""Answers a registry's challenge: with a password, with a token from its token service, or as a workload identity.

Produces the Authorization header and caches it until the registry rejects it. Tokens are requested with the least
rights that the work needs.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

import httpx

from api.oci.challenge import Challenge, challenge_in, realm_problem
from api.oci.docker_config import Account
from api.oci.token_exchange import token_in, token_request
from api.pods.registries import AzureIdentity
from runtime.registry.azure_identity import refresh_token
from runtime.registry.faults import TRANSPORT_ERRORS, RegistryFault, Trouble, fault_of, fault_of_transport


@dataclass
class Authorization:
    """Credentials for one registry and one scope such as repository:NAME:pull,push."""

    http: httpx.Client
    registry: str
    """The registry's URL, without a path."""
    scope: str
    account: Account | None = None
    identity: AzureIdentity | None = None
    plain_http: Collection[str] = ()
    """host:port of registries that may receive credentials without TLS."""
    _header: str | None = field(default=None, repr=False)

    def headers(self) -> dict[str, str]:
        """Returns the headers for a request; empty before the registry's first challenge."""
        return {"Authorization": self._header} if self._header else {}

    def answer(self, response: httpx.Response, doing: str) -> None:
        """Prepares the headers that answer a 401. Raises RegistryFault if the challenge cannot be answered."""
        challenge = challenge_in(response.headers.get("WWW-Authenticate", ""))
        if challenge is None:
            raise self._forbidden(doing, "its WWW-Authenticate header has no supported scheme")
        self._header = self._basic(doing) if challenge.scheme == "basic" else self._bearer(challenge, doing)

    @property
    def whose(self) -> str:
        """Returns the account in use, for messages."""
        if self.account:
            return f"the Secret {self.account.secret}"
        return (
            f"the workload identity {self.identity.client_id}" if self._exchanged() and self.identity else "no Secret"
        )

    def _basic(self, doing: str) -> str:
        if self.account is None or not self.account.password:
            raise self._forbidden(doing, "it requires a user and a password")
        return self.account.basic()

    def _bearer(self, challenge: Challenge, doing: str) -> str:
        problem = realm_problem(challenge.realm, self.plain_http)
        if problem:
            raise self._forbidden(doing, f"its token service cannot be used: {problem}")
        try:
            response = self._ask(challenge)
        except TRANSPORT_ERRORS as error:
            raise fault_of_transport(error, f"{doing}: asking for a token", _host(challenge.realm)) from None
        token = token_in(response.content) if response.is_success else ""
        if token:
            return f"Bearer {token}"
        if response.status_code in (400, 401, 403):
            raise self._forbidden(doing, f"{_host(challenge.realm)} returned no token ({response.status_code})")
        raise fault_of(response, f"{doing}: asking for a token")

    def _ask(self, challenge: Challenge) -> httpx.Response:
        asked = token_request(challenge, self.scope, self.account or self._exchanged_account(challenge))
        return self.http.request(
            asked.method,
            httpx.URL(asked.url).copy_merge_params(asked.query),
            data=asked.form or None,
            headers=asked.headers,
            follow_redirects=False,
        )

    def _exchanged_account(self, challenge: Challenge) -> Account | None:
        if self.identity is None or not self._exchanged():
            return None
        token = refresh_token(self.http, self.registry, challenge.service, self.identity)
        return Account(f"workload identity {self.identity.client_id}", identity_token=token)

    def _exchanged(self) -> bool:
        return self.identity is not None and self.identity.is_for(_host(self.registry))

    def _forbidden(self, doing: str, why: str) -> RegistryFault:
        return RegistryFault(Trouble.FORBIDDEN, f"{doing}: {_host(self.registry)} refuses {self.whose}: {why}")


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]
