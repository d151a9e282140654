"""Probes for what a local stack starts: a TCP port, a unix socket, an HTTP(S) address.

A probe does not wait: the caller repeats it until its deadline.
"""

import socket
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx

ATTEMPT_S = 2.0


def port_open(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=ATTEMPT_S):
            return True
    except OSError:
        return False


def answers(url: str, *, ca: Path | None = None, client: tuple[Path, Path] | None = None) -> bool:
    """Returns True if a GET of the address returns a 2xx. `client` is a certificate and its key."""
    # Ignores proxies, for all is on this machine; TLS endpoints have a certificate of our own authority.
    verify = False if ca is None else ssl.create_default_context(cafile=str(ca))
    if isinstance(verify, ssl.SSLContext) and client is not None:
        verify.load_cert_chain(*client)
    try:
        return httpx.get(url, verify=verify, timeout=ATTEMPT_S, trust_env=False, follow_redirects=True).is_success
    except httpx.HTTPError:
        return False


def listening(path: Path) -> bool:
    """Returns True if something accepts connections on the unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(ATTEMPT_S)
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


def once_listening(path: Path) -> Callable[[], bool]:
    return partial(listening, path)


def once_port_open(host: str, port: int) -> Callable[[], bool]:
    return partial(port_open, host, port)


def once_answers(url: str, *, ca: Path | None = None, client: tuple[Path, Path] | None = None) -> Callable[[], bool]:
    return partial(answers, url, ca=ca, client=client)
