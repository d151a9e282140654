"""A user's link cannot lead inside by DNS or by a redirect, and what is allowed is really fetched."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from api.addresses import AddressRefused
from runtime.data.guarded_http import HOPS_MAX, GuardedHttp, LinkBroken
from runtime.pod.guarded_network import system_resolve
from testing.deadlines import PATIENCE_S


class Site(ThreadingHTTPServer):
    """Answers /file with bytes and /to?X with a redirect to X; counts what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.asked: list[str] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class Answers(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.asked.append(f"{self.headers['Host']} {self.path}")
        path, _, query = self.path.partition("?")
        if path == "/to":
            self.send_response(302)
            self.send_header("Location", query)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path == "/broken":
            self.wfile.write(b"no http at all")
        else:
            self.send_response(200 if path.startswith("/file") else 404)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"bytes")

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def fetched(http: GuardedHttp, url: str) -> bytes:
    with http.open(url) as response:
        return response.read()


def allowing(*hosts: str) -> GuardedHttp:
    """Every name leads to this machine; only these hosts may."""
    return GuardedHttp(lambda host, port: ["127.0.0.1"], allowed_hosts=set(hosts), timeout_s=PATIENCE_S)


def test_an_allowed_host_is_fetched_under_its_own_name(site: Site) -> None:
    url = f"http://data.example:{site.port}/file%2Fa?sig=x%2By"
    assert fetched(allowing("data.example"), url) == b"bytes"
    assert site.asked == [f"data.example:{site.port} /file%2Fa?sig=x%2By"]


def test_letters_outside_ascii_are_encoded(site: Site) -> None:
    assert fetched(allowing("data.example"), f"http://data.example:{site.port}/file-ü") == b"bytes"
    assert site.asked == [f"data.example:{site.port} /file-%C3%BC"]


def test_a_name_that_resolves_inside_is_not_connected_to(site: Site) -> None:
    with pytest.raises(AddressRefused, match=r"data\.example .*127\.0\.0\.1, which is a loopback address"):
        fetched(allowing(), f"http://data.example:{site.port}/file")
    assert site.asked == []


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("http://169.254.169.254/metadata", "metadata"),
        ("http://127.0.0.1:{port}/file", "loopback"),
        ("http://localhost:{port}/file", "inside the cluster"),
        ("http://2130706433:{port}/file", "four decimal numbers"),
        ("//inner.example:{port}/file", "which is a loopback address"),
        ("http://inner.example:{port}/file", "which is a loopback address"),
        ("file:///etc/passwd", "must use HTTP or HTTPS"),
        ("http://user:pw@data.example:{port}/file", "user name"),
    ],
)
def test_a_redirect_inside_is_not_followed(site: Site, target: str, words: str) -> None:
    link = f"http://data.example:{site.port}/to?{target.format(port=site.port)}"
    with pytest.raises(AddressRefused, match=words):
        fetched(allowing("data.example"), link)
    assert len(site.asked) == 1


def test_a_redirect_to_where_it_may_lead_is_followed(site: Site) -> None:
    assert fetched(allowing("data.example"), f"http://data.example:{site.port}/to?/file") == b"bytes"


@pytest.mark.parametrize("target", ["https://[", "//[::1", "http://xn--0/", "http://a:x/"])
def test_a_redirect_to_what_is_no_url_is_a_broken_link(site: Site, target: str) -> None:
    with pytest.raises(LinkBroken):
        fetched(allowing("data.example"), f"http://data.example:{site.port}/to?{target}")


def test_redirect_loops_end(site: Site) -> None:
    http = GuardedHttp(lambda host, port: ["127.0.0.1"], allowed_hosts={"data.example"}, timeout_s=PATIENCE_S)
    circle = f"http://data.example:{site.port}/to?"
    with pytest.raises(LinkBroken, match="redirects more than 5 times"):
        fetched(http, circle + circle + circle + circle + circle + circle + circle + "/file")
    assert len(site.asked) == HOPS_MAX + 1


@pytest.mark.parametrize(
    ("path", "words"), [("/nothing", "data.example answered 404"), ("/broken", "connection to data.example broke")]
)
def test_a_link_without_content_reports_the_cause(site: Site, path: str, words: str) -> None:
    with pytest.raises(LinkBroken, match=words):
        fetched(allowing("data.example"), f"http://data.example:{site.port}{path}")


def test_a_missing_address_and_a_refused_connection_are_reported() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise OSError(-2, "Name or service not known")

    with pytest.raises(LinkBroken, match="has no address: Name or service not known"):
        fetched(GuardedHttp(unknown), "http://data.example/file")
    with Site() as closed:
        port = closed.port
    with pytest.raises(LinkBroken, match="cannot be connected to"):
        fetched(allowing("data.example"), f"http://data.example:{port}/file")


def test_the_next_address_is_tried_when_one_does_not_answer(site: Site) -> None:
    http = GuardedHttp(lambda host, port: ["127.255.255.254", "127.0.0.1"], {"data.example"}, timeout_s=PATIENCE_S)
    assert fetched(http, f"http://data.example:{site.port}/file") == b"bytes"


def test_tls_is_asked_for_where_the_link_says_https(site: Site) -> None:
    with pytest.raises(LinkBroken, match="cannot be connected to"):
        fetched(allowing("data.example"), f"https://data.example:{site.port}/file")
    assert site.asked == []


def test_the_systems_resolver_gives_addresses() -> None:
    assert "127.0.0.1" in system_resolve("localhost", 80)
