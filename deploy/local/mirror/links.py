"""Signed, expiring URLs of large files, like those of the CDN to which the Hub redirects.

A client must follow the redirect without its token, and request a new link after the expiry.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlencode

from deploy.local.mirror.access import Refusal
from deploy.local.mirror.repository import Kind
from deploy.local.mirror.routes import DOWNLOADS

# The Hub's own links last an hour.
LIFETIME_S = 3600


@dataclass(frozen=True)
class Signer:
    """Signs and checks links with a key of this process: links do not survive a restart."""

    lifetime_s: int = LIFETIME_S
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def link(self, kind: Kind, repo: str, commit: str, path: str, *, now_s: int) -> str:
        """Returns path and query of the file's link, valid from now for its lifetime."""
        where = f"/{DOWNLOADS}/{kind}/{repo}/{commit}/{quote(path)}"
        expires = str(now_s + self.lifetime_s)
        return f"{where}?{urlencode({'expires': expires, 'signature': self._sign(where, expires)})}"

    def check(self, where: str, expires: str, signature: str, *, now_s: int) -> None:
        """Raises Refusal for a link that we did not sign or that has expired."""
        if not hmac.compare_digest(self._sign(where, expires), signature):
            raise Refusal(403, "", "This link is not signed by this mirror: ask for the file's /resolve/ address again")
        if int(expires) < now_s:
            raise Refusal(403, "", "This link has expired: ask for the file's /resolve/ address again")

    def _sign(self, where: str, expires: str) -> str:
        # Decoded, because clients differ in which characters of a path they escape.
        return hmac.new(self._key, f"{unquote(where)}\n{expires}".encode(), hashlib.sha256).hexdigest()
