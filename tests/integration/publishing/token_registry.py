"""A registry with a token service, as Azure's and most others: bearer challenges, refresh tokens, Entra's exchange.

It speaks the distribution API over real HTTP and keeps blobs in memory. What it was shown is kept for the test to look
at. Written from the OCI distribution specification, Docker's token specification and Azure's ACR protocol description.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class Rules:
    """Who may come in, and what goes wrong."""

    password: str = "user:pass"
    pod_token: str = "token-of-the-pod"
    refresh: str = "refresh"
    """The identity token that is taken."""
    rights: str = "pull,push"
    lifetime: int = 10_000
    """Requests that a token is good for."""
    refuse_blobs: tuple[int, str] | None = None
    realm: str = ""
    redirect: str = ""
    """Where the token service sends everybody."""


class TokenRegistry(ThreadingHTTPServer):
    """`shown` has method, path, and the Authorization header of every request; `forms` what was posted for tokens."""

    daemon_threads = True

    def __init__(self, rules: Rules) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.rules = rules
        self.shown: list[tuple[str, str, str]] = []
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[bytes, str]] = {}
        self.tokens: dict[str, tuple[str, int]] = {}

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def token(self, scope: str) -> str:
        """A new one for these rights."""
        text = f"access-{len(self.tokens)}"
        self.tokens[text] = (scope, self.rules.lifetime)
        return text


@contextmanager
def token_registry(rules: Rules | None = None) -> Iterator[TokenRegistry]:
    """Answers until the end."""
    server = TokenRegistry(rules or Rules())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Answers(BaseHTTPRequestHandler):
    server: TokenRegistry
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        authorization = self.headers.get("Authorization", "")
        self.server.shown.append((self.command, self.path, authorization))
        path = urlsplit(self.path).path
        if path.startswith("/v2/"):
            self._distribution(path, body, authorization)
        else:
            self._tokens(path, body, authorization)

    do_GET = do_POST = do_PUT = do_HEAD = _handle

    def _tokens(self, path: str, body: bytes, authorization: str) -> None:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        self.server.forms.append((path, form))
        rules = self.server.rules
        if rules.redirect:
            self._say(307, {}, {"Location": rules.redirect})
        elif path.endswith("/oauth2/v2.0/token"):
            right = (form["client_assertion"], form["client_assertion_type"]) == (rules.pod_token, ASSERTION)
            self._say(200, {"access_token": "token-of-entra"}) if right else self._say(
                401, {"error": "invalid_client", "error_description": f"secret {form['client_assertion']}"}
            )
        elif path == "/oauth2/exchange":
            right = (form["grant_type"], form["access_token"]) == ("access_token", "token-of-entra")
            self._say(200 if right else 401, {"refresh_token": "refresh"} if right else {})
        elif path == "/oauth2/token" and self.command == "POST":
            right = (form["grant_type"], form["refresh_token"]) == ("refresh_token", rules.refresh)
            self._say(200 if right else 401, {"access_token": self.server.token(form["scope"])} if right else {})
        elif path == "/oauth2/token":
            basic = "Basic " + base64.b64encode(rules.password.encode()).decode()
            scope = parse_qs(urlsplit(self.path).query)["scope"][0]
            right = authorization == basic
            self._say(200 if right else 401, {"token": self.server.token(scope)} if right else {})
        else:
            self._say(404, {})

    def _distribution(self, path: str, body: bytes, authorization: str) -> None:
        token = authorization.removeprefix("Bearer ")
        scope, left = self.server.tokens.get(token, ("", 0))
        if left <= 0:
            realm = self.server.rules.realm or f"http://{self.server.address}/oauth2/token"
            header = f'Bearer realm="{realm}",service="{self.server.address}",scope="ignored"'
            return self._say(401, {"errors": [{"code": "UNAUTHORIZED"}]}, {"WWW-Authenticate": header})
        self.server.tokens[token] = (scope, left - 1)
        if self.server.rules.rights not in scope:
            return self._say(403, {"errors": [{"code": "DENIED", "message": f"{scope} is not enough"}]})
        if self.command == "PUT" and "/uploads/" in path and self.server.rules.refuse_blobs:
            status, text = self.server.rules.refuse_blobs
            return self._say(status, {"errors": [{"code": "NO", "message": text}]})
        self._store(path, body) if self.command in ("POST", "PUT") else self._show(path)

    def _store(self, path: str, body: bytes) -> None:
        if self.command == "POST":
            self._say(202, {}, {"Location": f"{path}1?state=x"})
        elif "/uploads/" in path:
            digest = parse_qs(urlsplit(self.path).query)["digest"][0]
            self.server.blobs[digest] = body
            right = f"sha256:{hashlib.sha256(body).hexdigest()}" == digest
            self._say(201 if right else 400, {})
        else:
            digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
            for which in (path.rpartition("/")[2], digest):
                self.server.manifests[which] = (body, self.headers["Content-Type"])
            self._say(201, {})

    def _show(self, path: str) -> None:
        which = path.rpartition("/")[2]
        known = self.server.manifests.get(which) or (self.server.blobs.get(which), "application/octet-stream")
        content, kind = known
        if content is None:
            return self._say(404, {})
        self._answer(200, content, {"Content-Type": kind})

    def _say(self, status: int, what: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._answer(status, json.dumps(what).encode(), headers or {})

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Silent."""
