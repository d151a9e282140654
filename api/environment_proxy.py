"""Picks the proxy for a URL by the environment's conventions: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY. Pure."""

from collections.abc import Mapping
from typing import Final

_PORTS: Final = {"http": 80, "https": 443}


def proxy_for(scheme: str, host: str, port: int | None, proxies: Mapping[str, str]) -> str | None:
    """Returns the proxy's URL; None if none is set for the scheme, or if NO_PROXY lists the host, with or without port.

    `proxies` is what urllib.request.getproxies() returns. A proxy without a scheme is an HTTP proxy, as for curl.
    """
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or _lists(proxies.get("no", ""), host.lower(), port or _PORTS.get(scheme)):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _lists(no_proxy: str, host: str, port: int | None) -> bool:
    """Whether an entry is the host or a domain above it, as urllib's `proxy_bypass_environment` decides it."""
    in_brackets = f"[{host}]" if ":" in host else host
    names = (host, in_brackets, f"{in_brackets}:{port}")
    entries = [entry.strip().lstrip(".").lower() for entry in no_proxy.split(",")]
    return no_proxy.strip() == "*" or any(
        name == entry or name.endswith(f".{entry}") for entry in entries if entry for name in names
    )
