"""Real registries: one that is open, one that wants a password, one that wants a token from a server of its own."""

import http.server
import json
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from activities.clients.kubernetes import Object
from deploy.local.host import daemons
from deploy.local.host.daemons import Daemon
from deploy.local.host.probes import once_port_open
from deploy.local.layout import Layout
from deploy.local.services.registry import registry_config
from testing.deadlines import PATIENCE_S
from testing.ports import free_ports

USER, PASSWORD = "ann", "sesame"
HASHED: Final = "$2b$05$abcdefghijklmnopqrstuuKcS.CYWVYVaLiiCKrrc0A5s3mGesJ9O"
"""bcrypt of PASSWORD, the only form that the registry takes."""
READER: Final = "bob"
"""Has the same password and may only pull."""


def secret_for(host: str, user: str = USER, password: str = PASSWORD) -> Object:
    """A Secret of type kubernetes.io/dockerconfigjson, as kubectl makes it."""
    auth = b64encode(f"{user}:{password}".encode()).decode()
    config = {"auths": {host: {"username": user, "password": password, "auth": auth}}}
    data = {".dockerconfigjson": b64encode(json.dumps(config).encode()).decode()}
    return {"type": "kubernetes.io/dockerconfigjson", "data": data}


@pytest.fixture(scope="session")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from _running(tmp_path_factory.mktemp("open"), {})


@pytest.fixture(scope="session")
def password_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("password")
    file = folder / "htpasswd"
    file.write_text(f"{USER}:{HASHED}\n")
    yield from _running(folder, {"auth": {"htpasswd": {"realm": "registry", "path": str(file)}}})


@pytest.fixture(scope="session")
def token_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The registry's host and its token server's."""
    folder = tmp_path_factory.mktemp("token")
    key, certificate = _signer(folder / "issuer.crt")
    server = _TokenServer(("127.0.0.1", 0), _Tokens)
    server.key, server.certificate = key, certificate
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"127.0.0.1:{server.server_address[1]}"
    token = {
        "realm": f"http://{host}/token",
        "service": "registry",
        "issuer": "tests",
        "rootcertbundle": str(folder / "issuer.crt"),
    }
    for registry in _running(folder, {"auth": {"token": token}}):
        yield registry, host
    server.shutdown()
    server.server_close()


def _running(folder: Path, more: dict[str, Any]) -> Iterator[str]:
    layout = replace(Layout.of("test", with_nodes=False), state=folder / "state", ports=free_ports())
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(registry_config(layout, "s" * 32) | more))
    argv = ("docker-registry", "serve", str(file))
    daemon = Daemon("registry", argv, once_port_open("127.0.0.1", layout.ports.registry), deadline_s=PATIENCE_S)
    daemons.start(layout, daemon)
    yield layout.registry
    daemons.stop(layout, "registry")


class _TokenServer(http.server.ThreadingHTTPServer):
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


class _Tokens(http.server.BaseHTTPRequestHandler):
    """Gives everybody a token; what it allows depends on who asks."""

    server: _TokenServer

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        kind, name, actions = query["scope"][0].split(":")
        allowed = [action for action in actions.split(",") if action in _rights(self.headers.get("Authorization", ""))]
        now = int(time.time())
        claims = {
            "iss": "tests", "aud": query["service"][0], "sub": "", "exp": now + 300, "nbf": now - 10, "iat": now,
            "access": [{"type": kind, "name": name, "actions": allowed}],
        }  # fmt: skip
        der = self.server.certificate.public_bytes(serialization.Encoding.DER)
        headers = {"x5c": [b64encode(der).decode()]}
        body = json.dumps({"token": jwt.encode(claims, self.server.key, algorithm="ES256", headers=headers)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        return None


def _rights(authorization: str) -> tuple[str, ...]:
    user, _, password = b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
    if password != PASSWORD:
        return ()
    return ("pull",) if user == READER else ("pull", "push", "delete")


def _signer(file: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return key, certificate
