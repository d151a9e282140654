"""A request goes through the proxy that the environment sets for it, and past it where NO_PROXY lists the host."""

import pytest

from api.environment_proxy import proxy_for

PROXIES = {"https": "http://proxy:3128", "http": "http://other:3128"}


@pytest.mark.parametrize(
    ("scheme", "proxies", "proxy"),
    [
        ("https", PROXIES, "http://proxy:3128"),
        ("http", PROXIES, "http://other:3128"),
        ("http", {"all": "http://all:1"}, "http://all:1"),
        ("https", {"https": "proxy:3128"}, "http://proxy:3128"),
        ("https", {"https": "", "all": "socks5://all:1"}, "socks5://all:1"),
        ("https", {"http": "http://other:3128"}, None),
        ("https", {}, None),
    ],
)
def test_the_schemes_proxy_is_used(scheme: str, proxies: dict[str, str], proxy: str | None) -> None:
    assert proxy_for(scheme, "r.example", None, proxies) == proxy


@pytest.mark.parametrize(
    ("host", "port", "no_proxy"),
    [
        ("r.example", None, "r.example"),
        ("r.example", 5000, "r.example"),
        ("r.example", 5000, "r.example:5000"),
        ("r.example", None, "a,r.example:443"),
        ("a.r.example", None, ".r.example"),
        ("R.EXAMPLE", None, "r.example"),
        ("::1", 5000, "::1"),
        ("::1", 5000, "[::1]"),
        ("::1", 5000, "[::1]:5000"),
        ("r.example", None, "*"),
    ],
)
def test_a_host_that_no_proxy_lists_is_reached_directly(host: str, port: int | None, no_proxy: str) -> None:
    assert proxy_for("https", host, port, PROXIES | {"no": no_proxy}) is None


@pytest.mark.parametrize("no_proxy", ["", "other.example", "ar.example", "r.example:5001", "r", "example.r"])
def test_a_host_that_no_proxy_does_not_list_goes_through_the_proxy(no_proxy: str) -> None:
    assert proxy_for("https", "r.example", 5000, PROXIES | {"no": no_proxy}) == "http://proxy:3128"
