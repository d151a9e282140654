"""A connection goes where its address was judged, and an answer ends: in time, in bytes, and unpacked."""

import gzip
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.oci.image_reference import ImageReference
from api.pods.registries import RegistryAccess
from runtime.data.guarded_http import GuardedHttp, LinkBroken
from runtime.pod.guarded_network import STREAMED, Guard, GuardedTransport
from runtime.registry.blobs import blob_of_bytes
from runtime.registry.client import ANSWER_MAX, repository
from runtime.registry.faults import RegistryFault, Trouble, fault_of_transport
from testing.deadlines import PATIENCE_S
from testing.faults.raw_servers import OK, listening, redirect, repeating, self_signed, sending

STALL_S = 60.0


def manifest(host: str, access: RegistryAccess, address: str = "127.0.0.1", stall_s: float = STALL_S) -> bytes:
    """What the registry gives as a manifest; its name, and every other one, resolves to `address`."""
    image = ImageReference(host, "team/model", "1")
    with repository(image, access, None, "pull", stall_s, resolve=lambda host, port: [address]) as opened:
        return opened.manifest("1", "application/json")[0]


def named(port: int, name: str = "registry.example", **more: Any) -> bytes:
    """The same of a registry that the operator names."""
    return manifest(f"{name}:{port}", RegistryAccess(plain_http=(f"{name}:{port}",), **more))


def fault(port: int) -> RegistryFault:
    with pytest.raises(RegistryFault) as caught:
        named(port)
    return caught.value


def test_a_name_is_resolved_once_and_the_judged_address_is_connected_to() -> None:
    answers = iter([["127.0.0.2"], ["127.0.0.1"]])
    judged: list[list[str]] = []

    def judge(host: str, port: int, addresses: list[str]) -> None:
        judged.append(addresses)
        if addresses != ["127.0.0.2"]:
            raise ValueError(f"{host} is refused")

    guard = Guard(judge, STALL_S, 100, lambda host, port: next(answers))
    with (
        listening(sending(OK + b"good"), "127.0.0.2") as port,
        listening(sending(OK + b"evil"), port=port),
        httpx.Client(transport=GuardedTransport(guard, ssl.create_default_context()), timeout=PATIENCE_S) as client,
    ):
        assert client.get(f"http://data.example:{port}/").content == b"good"
        with pytest.raises(ValueError, match=r"data\.example is refused"):
            client.get(f"http://data.example:{port}/")
    assert judged == [["127.0.0.2"], ["127.0.0.1"]]


def test_a_registry_that_the_operator_names_may_be_anywhere() -> None:
    with listening(sending(OK + b"text")) as port:
        assert named(port) == b"text"


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "168.63.129.16", "0.0.0.0"]
)
def test_no_other_registry_is_connected_to_inside(address: str) -> None:
    with pytest.raises(
        RegistryFault, match=f"registry.example resolves to {address}, which is .*; no request"
    ) as caught:
        manifest("registry.example", RegistryAccess(), address)
    assert caught.value.trouble is Trouble.REJECTED


@pytest.mark.parametrize("place", ["http://169.254.169.254/latest", "http://storage.example:{port}/", "http://[::1]/"])
def test_a_registry_leads_nowhere_inside(place: str) -> None:
    asked: list[int] = []

    def storage(connection: socket.socket) -> None:
        asked.append(1)
        connection.sendall(OK + b"evil")

    with listening(storage) as inside, listening(sending(redirect(place.format(port=inside)))) as port:
        assert fault(port).trouble is Trouble.REJECTED
    assert not asked


def test_a_storage_that_the_operator_allows_is_led_to() -> None:
    with (
        listening(sending(OK + b"blob")) as inside,
        listening(sending(redirect(f"http://storage.example:{inside}/"))) as port,
    ):
        assert named(port, allowed_hosts=("storage.example",)) == b"blob"


NO_URLS = ["https://xn--0/", "http://999.1.1.1/", "https://[", "//", "https://a..b\xe9/"]


@pytest.mark.parametrize("place", NO_URLS)
def test_a_registry_that_leads_to_what_is_no_url_is_a_fault(place: str) -> None:
    location = f"HTTP/1.1 307 Away\r\nLocation: {place}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with listening(sending(location.encode("latin-1"))) as port:
        fault(port)


@pytest.mark.parametrize("place", NO_URLS)
def test_an_upload_to_what_is_no_url_is_a_fault(place: str) -> None:
    location = f"HTTP/1.1 202 Yes\r\nLocation: {place}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with listening(sending(location.encode("latin-1"))) as port:
        host = f"registry.example:{port}"
        image, access = ImageReference(host, "team/model", "1"), RegistryAccess(plain_http=(host,))
        with (
            pytest.raises(RegistryFault),
            repository(image, access, None, "pull,push", STALL_S, resolve=lambda host, port: ["127.0.0.1"]) as opened,
        ):
            opened.upload(blob_of_bytes("text/plain", b"text"))


@pytest.mark.parametrize("realm", ["https://xn--0/", "https://999.1.1.1/"])
def test_a_token_service_at_what_is_no_url_is_a_fault(realm: str) -> None:
    refused = f'HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm="{realm}"\r\nContent-Length: 0\r\n\r\n'
    with listening(sending(refused.encode())) as port:
        fault(port)


def test_an_error_of_a_registry_that_is_nested_without_end_is_a_fault() -> None:
    body = b"[" * 100_000
    head = f"HTTP/1.1 404 No\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    with listening(sending(head + body)) as port:
        assert fault(port).trouble is Trouble.NOT_FOUND


def test_a_header_that_cannot_be_written_is_in_no_message() -> None:
    with httpx.Client() as client, listening(sending(OK)) as port, pytest.raises(httpx.LocalProtocolError) as caught:
        client.get(f"http://127.0.0.1:{port}/", headers={"Authorization": "Bearer s3cret "})
    assert "s3cret" in str(caught.value), "what this test is about"
    assert "s3cret" not in str(fault_of_transport(caught.value, "pulling", "registry.example"))


HEADS = {"head": b"HTTP/1.1 200 OK\r\nX-Head: ", "body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_an_answer_that_drips_and_never_ends_is_given_up(head: bytes) -> None:
    guard = Guard(lambda host, port, addresses: None, 0.5, 2**30, lambda host, port: ["127.0.0.1"])
    with (
        listening(repeating(head, b"x", every_s=0.05)) as port,
        httpx.Client(transport=GuardedTransport(guard, ssl.create_default_context()), timeout=STALL_S) as client,
        pytest.raises(httpx.ReadTimeout, match=r"no complete response within 0\.5 s"),
    ):
        client.get(f"http://data.example:{port}/")


def test_a_registry_that_drips_is_tried_again_later() -> None:
    with listening(repeating(HEADS["body"], b"x", every_s=0.05)) as port:
        host = f"registry.example:{port}"
        with pytest.raises(RegistryFault) as caught:
            manifest(host, RegistryAccess(plain_http=(host,)), stall_s=0.5)
    assert caught.value.trouble is Trouble.UNREACHABLE


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b"Content-Length: 100000000000\r\n\r\n", bytes(2**16)),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + bytes(2**16) + b"\r\n"),
        (b"\r\n", bytes(2**16)),
    ],
    ids=["as told", "in chunks", "until the end"],
)
def test_an_oversize_answer_is_not_read_to_its_end(head: bytes, part: bytes) -> None:
    with listening(repeating(b"HTTP/1.1 200 OK\r\n" + head, part)) as port:
        found = fault(port)
    assert found.trouble is Trouble.REJECTED
    assert "larger than any that was requested" in str(found)


def test_a_packed_answer_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(16 * ANSWER_MAX))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    with listening(sending(head + bomb)) as port:
        found = fault(port)
    assert found.trouble is Trouble.REJECTED
    assert "compressed although no compression was requested" in str(found)


def test_tls_is_by_the_name_that_was_asked_for(tmp_path: Path) -> None:
    certificate, tls = self_signed(tmp_path, "right.example")
    trusting = ssl.create_default_context(cafile=str(certificate))
    http = GuardedHttp(lambda host, port: ["127.0.0.1"], {"right.example", "wrong.example"}, STALL_S, trusting)
    with listening(sending(OK + b"text"), tls=tls) as port:
        with http.open(f"https://right.example:{port}/file") as response:
            assert b"".join(response.iter_raw()) == b"text"
        wrong = http.open(f"https://wrong.example:{port}/file")
        with pytest.raises(LinkBroken, match=r"wrong\.example cannot be connected to: .*mismatch"), wrong:
            pass


def test_registries_are_asked_by_the_environments_proxy_and_links_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    http = GuardedHttp(lambda host, port: ["127.0.0.1"], {"data.example"}, STALL_S)
    with listening(sending(OK + b"over")) as proxy, listening(sending(OK + b"past")) as port:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "other.example")
        assert (named(port), named(port, "other.example")) == (b"over", b"past")
        with http.open(f"http://data.example:{port}/file") as response:
            assert b"".join(response.iter_raw()) == b"past"


@pytest.mark.parametrize("proxy", ["socks5://ann:s3cret@p:1", "foo://ann:s3cret@p", "http://ann:s3cret@[::"])
def test_a_proxy_that_cannot_be_used_is_a_fault_without_its_password(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    found = fault(5000)
    assert found.trouble is Trouble.UNREACHABLE
    assert "the environment's proxy is not the URL of an HTTP proxy" in str(found) and "s3cret" not in str(found)


def proxied(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Sets the environment's proxies."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, f"http://ann:sesame@127.0.0.1:{port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "127.0.0.1:6443", "localhost", "a.localhost", "[::1]:1", "127.1", "[::ffff:127.0.0.1]"]
)
def test_a_proxy_is_not_asked_for_an_address_inside(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    with listening(lambda connection: asked.append(1)) as proxy:
        proxied(monkeypatch, proxy)
        with pytest.raises(RegistryFault, match="no request was sent"):
            manifest(host, RegistryAccess())
    assert not asked


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_an_answer_that_drips_through_a_proxy_is_given_up(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = Guard(lambda host, port, addresses: None, 0.5, 2**30)
    with listening(repeating(head, b"x", every_s=0.05)) as proxy:
        proxied(monkeypatch, proxy)
        transport = GuardedTransport(guard, ssl.create_default_context(), proxies=True)
        with (
            httpx.Client(transport=transport, timeout=PATIENCE_S) as client,
            pytest.raises(httpx.ReadTimeout, match=r"no complete response within 0\.5 s"),
        ):
            client.get("http://data.example/")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_data_streams_through_a_proxy_for_as_long_as_it_comes(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, tls = self_signed(tmp_path, "data.example")
    trusting = ssl.create_default_context(cafile=str(certificate))
    guard = Guard(lambda host, port, addresses: None, 3.0, 0)  # for a head on a busy machine; the body takes longer

    def slow(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\nConnection: close\r\n\r\n")
        for _ in range(40):
            threading.Event().wait(0.1)
            connection.sendall(b"x")

    def tunnel(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        with tls.wrap_socket(connection.dup(), server_side=True) as secured:
            secured.recv(2**16)
            slow(secured)

    with listening(slow if scheme == "http" else tunnel) as proxy:
        proxied(monkeypatch, proxy)
        transport = GuardedTransport(guard, trusting, proxies=True)
        with (
            httpx.Client(transport=transport, timeout=PATIENCE_S) as client,
            client.stream("GET", f"{scheme}://data.example/", extensions=STREAMED) as response,
        ):
            assert b"".join(response.iter_raw()) == b"x" * 40


def test_a_proxy_may_be_written_without_a_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(sending(OK + b"over")) as proxy:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, f"127.0.0.1:{proxy}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "")
        assert named(5000) == b"over"
