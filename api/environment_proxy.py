"""Picks the proxy for a URL by the environment's conventions: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY. Pure."""

from collections.abc import Mapping
from typing import Final
from urllib.request import proxy_bypass

_PORTS: Final = {"http": 80, "https": 443}


def proxy_for(scheme: str, host: str, port: int | None, proxies: Mapping[str, str]) -> str | None:
    """Returns the proxy's URL; None if none is set for the scheme, or if NO_PROXY lists the host, with or without port.

    `proxies` is what urllib.request.getproxies() returns. A proxy without a scheme is an HTTP proxy, as for curl.
    """
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or _lists(proxies, host, port or _PORTS.get(scheme)):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _lists(proxies: Mapping[str, str], host: str, port: int | None) -> bool:
    """Whether NO_PROXY lists the host; an IPv6 address may be written with and without brackets."""
    in_brackets = f"[{host}]" if ":" in host else host
    names = (host, f"{in_brackets}:{port}")
    return any(proxy_bypass(name, proxies) for name in names)
