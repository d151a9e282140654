"""What a user writes is asked only where a registry may stand, at the judged address, and for a short answer."""

import gzip
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from activities.clients.guarded_network import Guard, GuardedTransport
from activities.clients.host_names import Resolve
from activities.clients.registry import LARGEST_ANSWER, Registries, RegistryUnreachable
from api.oci.docker_config import Account
from api.oci.image_reference import ImageReference
from testing.faults.raw_servers import OK, listening, repeating, self_signed, sending
from testing.memory_growth import MIB, grows_at_most

HERE = "127.0.0.1"


async def here(host: str, port: int) -> list[str]:
    return [HERE]


async def status(port: int, resolve: Resolve = here, answer_s: float = 60) -> int:
    """What a registry that the operator names answers."""
    host = f"registry.example:{port}"
    return await Registries((host,), answer_s=answer_s, resolve=resolve).push(
        ImageReference.parse(f"{host}/team/model:1")
    )


async def test_a_name_is_resolved_once_and_the_judged_address_is_connected_to() -> None:
    answers: Iterator[list[str]] = iter([["127.0.0.2"], ["127.0.0.1"]])

    async def rebinding(host: str, port: int) -> list[str]:
        return next(answers)

    def judge(host: str, port: int, addresses: list[str]) -> None:
        if addresses != ["127.0.0.2"]:
            raise ValueError(f"{host} is refused")

    guard = Guard(judge, 100, rebinding)
    with listening(sending(OK + b"good"), "127.0.0.2") as port, listening(sending(OK + b"evil"), port=port):
        transport = GuardedTransport(guard, ssl.create_default_context(), proxies=False)
        async with httpx.AsyncClient(transport=transport, timeout=60) as client:
            assert (await client.get(f"http://data.example:{port}/")).content == b"good"
            with pytest.raises(ValueError, match=r"data\.example is refused"):
                await client.get(f"http://data.example:{port}/")


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async def two(host: str, port: int) -> list[str]:
        return ["127.255.255.254", HERE]

    with listening(sending(OK + b"text")) as port:
        assert await status(port, two) == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254", "::ffff:127.0.0.1", "168.63.129.16"])
async def test_a_name_that_resolves_inside_is_not_asked_and_its_address_is_for_the_log(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def inside(host: str, port: int) -> list[str]:
        return ["93.184.216.34", address]

    with caplog.at_level("INFO"), pytest.raises(RegistryUnreachable) as told:
        await Registries(resolve=inside).push(ImageReference.parse("registry.example/team/model:1"))
    assert address not in str(told.value)
    assert f"registry.example resolves to {address}, which is" in caplog.text and "no request was sent" in caplog.text


async def test_a_status_says_the_same_of_every_inner_host_that_a_user_tries() -> None:
    """Closed, silent, without TLS, without a name, at a forbidden address: whoever compares statuses learns nothing."""

    async def nowhere(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    async def forbidden(host: str, port: int) -> list[str]:
        return ["169.254.169.254"]

    async def private(host: str, port: int) -> list[str]:
        return ["10.255.255.254"]

    told = set()
    silent = repeating(b"", b"", every_s=0.05)
    with listening(sending(OK + b"text")) as plain, listening(silent) as quiet:
        for port, resolve in ((plain, here), (quiet, here), (443, nowhere), (443, forbidden), (443, private)):
            host = f"registry.example:{port}"
            registries = Registries(answer_s=1, resolve=resolve)
            with pytest.raises(RegistryUnreachable) as error:
                await registries.manifest(ImageReference.parse(f"{host}/team/model:1"))
            told.add(str(error.value).replace(host, "HOST"))
    assert len(told) == 1


async def test_a_token_service_inside_is_not_asked() -> None:
    asked: list[int] = []

    def tokens(connection: socket.socket) -> None:
        asked.append(1)
        connection.sendall(OK + b"evil")

    with listening(tokens) as inside:
        realm = f"https://tokens.example:{inside}/token"
        refused = f'HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm="{realm}"\r\nContent-Length: 0\r\n\r\n'
        told = pytest.raises(RegistryUnreachable, match=r"tokens\.example resolves to 127\.0\.0\.1")
        with listening(sending(refused.encode())) as port, told:
            await status(port)
    assert not asked


async def test_an_oversize_answer_is_not_read_to_its_end() -> None:
    endless = repeating(b"HTTP/1.1 200 OK\r\n\r\n", bytes(2**16))
    told = pytest.raises(RegistryUnreachable, match="larger than any that was requested")
    with listening(endless) as port, grows_at_most(8), told:
        await status(port)


async def test_a_compressed_response_is_not_decompressed() -> None:
    bomb = gzip.compress(bytes(64 * LARGEST_ANSWER))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    told = pytest.raises(RegistryUnreachable, match="is compressed although")
    with listening(sending(head + bomb)) as port, grows_at_most(8), told:
        await status(port)


@pytest.mark.parametrize("kind", ["compressed", "without end"])
async def test_a_token_server_that_sends_a_bomb_is_left_alone(kind: str) -> None:
    """The tenant names the registry, and the registry names who gives tokens."""
    bomb = gzip.compress(bytes(256 * MIB))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    tokens = sending(head + bomb) if kind == "compressed" else repeating(b"HTTP/1.1 200 OK\r\n\r\n", bytes(2**16))
    with listening(tokens) as inner:
        realm = f"http://registry.example:{inner}/token"
        refused = f'HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm="{realm}"\r\nContent-Length: 0\r\n\r\n'
        with listening(sending(refused.encode())) as port, grows_at_most(8):
            hosts = (f"registry.example:{port}", f"registry.example:{inner}")
            registries = Registries(hosts, answer_s=60, resolve=here)
            with pytest.raises(RegistryUnreachable, match=r"is compressed although|larger than any"):
                await registries.push(ImageReference.parse(f"{hosts[0]}/team/model:1"))


async def test_an_answer_that_drips_and_never_ends_is_given_up() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    drip = repeating(head, b"x", every_s=0.05)
    with listening(drip) as port, pytest.raises(RegistryUnreachable, match=r"did not answer within 0\.5 s"):
        await status(port, answer_s=0.5)


def accepted(location: str) -> bytes:
    """The registry's answer to an upload that it takes at `location`."""
    return f"HTTP/1.1 202 Yes\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


async def test_an_upload_is_not_cancelled_without_tls_where_it_was_opened_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Registries behind a proxy that ends TLS report such a Location; the account would be sent unencrypted."""
    certificate, tls = self_signed(tmp_path, "registry.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    answers = iter([["127.0.0.1"], ["127.0.0.2"], ["127.0.0.2"]])
    asked: list[int] = []

    async def first_with_tls(host: str, port: int) -> list[str]:
        return next(answers)

    def basic(connection: socket.socket) -> None:
        asked.append(1)
        connection.sendall(b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")

    with listening(basic, "127.0.0.2") as port:
        location = f"http://registry.example:{port}/v2/team/model/blobs/uploads/1"
        with listening(sending(accepted(location)), port=port, tls=tls):
            image = ImageReference.parse(f"registry.example:{port}/team/model:1")
            registries = Registries(("registry.example",), resolve=first_with_tls)
            assert await registries.push(image, Account("mine", "ann", "sesame")) == 202
    assert not asked


@pytest.mark.parametrize(
    "location", ["https://[", "http://999.1.1.1/", "https://xn--0/", "//[::1", "http://a:99999999/"]
)
async def test_a_location_that_is_no_url_changes_nothing_of_what_was_answered(location: str) -> None:
    with listening(sending(accepted(location))) as port:
        assert await status(port) == 202


async def test_an_upload_whose_cancellation_breaks_off_was_opened_all_the_same() -> None:
    hosts: list[str] = []

    def once(connection: socket.socket) -> None:
        hosts.append("asked")
        if len(hosts) == 1:
            connection.sendall(accepted("/v2/upload"))

    with listening(once) as port:
        assert await status(port) == 202
    assert len(hosts) == 2


async def test_the_environments_proxy_is_asked_only_for_what_may_be_asked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def outside(host: str, port: int) -> list[str]:
        return ["93.184.216.34"]

    with listening(sending(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")) as proxy:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        image = ImageReference.parse("registry.example/team/model:1")
        for resolve, cause in ((outside, "ProxyError: 407"), (here, "which is a loopback address")):
            with caplog.at_level("INFO"), pytest.raises(RegistryUnreachable):
                await Registries(resolve=resolve).push(image)
            assert cause in caplog.text


@pytest.mark.parametrize("proxy", ["socks5://ann:s3cret@p:1", "foo://ann:s3cret@p", "http://ann:s3cret@[::"])
async def test_a_proxy_that_cannot_be_used_is_reported_without_its_password(
    proxy: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def outside(host: str, port: int) -> list[str]:
        return ["93.184.216.34"]

    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    with caplog.at_level("INFO"), pytest.raises(RegistryUnreachable) as caught:
        await Registries(resolve=outside).push(ImageReference.parse("registry.example/team/model:1"))
    assert "the environment's proxy is not the URL of an HTTP proxy" in caplog.text
    assert "s3cret" not in str(caught.value) + caplog.text
