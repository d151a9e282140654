"""Answers "is it up?" for the things a local stack starts: a TCP port, a unix socket, an HTTP(S) address.

These are questions, not waits: the caller asks again until its deadline.
"""

import http.client
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

ATTEMPT_S = 2.0


def port_open(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=ATTEMPT_S):
            return True
    except OSError:
        return False


def answers(url: str, *, ca: Path | None = None, client: tuple[Path, Path] | None = None) -> bool:
    """True when a GET of the address gives a 2xx. `client` is a certificate and its key."""
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if ca is not None:
        context = ssl.create_default_context(cafile=str(ca))
        if client is not None:
            context.load_cert_chain(*client)
        handlers.append(urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=ATTEMPT_S) as response:
            return 200 <= int(response.status) < 300
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except (OSError, http.client.HTTPException):
        return False


def listening(path: Path) -> bool:
    """True when something accepts connections on the unix socket."""
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
