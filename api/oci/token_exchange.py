"""Builds requests to a registry's token service and reads the token in its response; HTTP clients send them.

Users and passwords go by GET (distribution's "Token Authentication Specification"), identity tokens by POST ("Token
Authentication OAuth 2.0 Specification"). Do not follow redirects: they would forward the form.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from api.oci.challenge import Challenge
from api.oci.docker_config import Account

CLIENT_ID: Final = "modelyard"
TOKEN_MAX: Final = 64 << 10
"""Bytes of an answer."""
_VISIBLE: Final = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class TokenRequest:
    """One request to `url`; `form` is empty for a GET."""

    method: Literal["GET", "POST"]
    url: str
    query: Mapping[str, str]
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def token_request(challenge: Challenge, scope: str, account: Account | None) -> TokenRequest:
    """For a bearer challenge whose realm may be shown credentials. `scope` is such as repository:NAME:pull,push."""
    parameters = ({"service": challenge.service} if challenge.service else {}) | {"scope": scope}
    if account and account.identity_token:
        form = {"grant_type": "refresh_token", "refresh_token": account.identity_token, "client_id": CLIENT_ID}
        return TokenRequest("POST", challenge.realm, {}, parameters | form)
    basic = account.basic() if account else ""
    return TokenRequest("GET", challenge.realm, parameters, headers={"Authorization": basic} if basic else {})


def token_in(content: bytes) -> str:
    """The token in the body of a successful answer; empty where there is none that a header can hold.

    h11 quotes a header that it refuses, such as one with a space at its end, and the token would be in the message.
    """
    try:
        document = json.loads(content) if len(content) <= TOKEN_MAX else None
    except (ValueError, RecursionError):
        return ""
    token = (document.get("token") or document.get("access_token")) if isinstance(document, dict) else None
    return token if isinstance(token, str) and _VISIBLE.fullmatch(token) else ""
