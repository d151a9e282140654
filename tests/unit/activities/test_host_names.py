"""A name that does not exist is told from a resolver in trouble, which says the same of every name."""

import asyncio
import socket
from collections.abc import Mapping

import pytest

from activities.clients.host_names import ALWAYS, HostNames, Resolve, host_in

GONE, AGAIN, FAILED = socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_FAIL


def resolver(known: Mapping[str, int | str], otherwise: int | str = GONE) -> Resolve:
    """Answers with an address, or raises the resolver's error of that number."""

    async def resolve(host: str, port: int) -> list[str]:
        answer = known.get(host, otherwise)
        if isinstance(answer, int):
            raise socket.gaierror(answer, "said the resolver")
        return [answer]

    return resolve


WORKING = {ALWAYS[0]: "10.0.0.1"}


async def test_a_name_that_nobody_knows_is_missing_while_others_resolve() -> None:
    assert await HostNames(resolve=resolver(WORKING)).missing("typo.azurecr.io", ALWAYS[0]) == ["typo.azurecr.io"]
    hub = HostNames(["https://hub.example:8443/x"], resolver({"hub.example": "10.0.0.2"}))
    assert await hub.missing("typo.example", "hub.example") == ["typo.example"]


async def test_a_resolver_that_knows_no_name_at_all_proves_nothing() -> None:
    assert await HostNames(["https://hub.example"], resolver({})).missing("registry.example", "hub.example") == []


@pytest.mark.parametrize("hub", ["https://127.0.0.1:8443", "https://[::1]", "http://localhost:8080"])
async def test_a_hub_that_is_reached_without_dns_says_nothing_about_dns(hub: str) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        if host in ("127.0.0.1", "::1", "localhost"):
            return ["127.0.0.1"]
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    assert await HostNames([hub], resolve).missing("data.example") == []


async def test_a_name_is_no_witness_for_itself() -> None:
    assert await HostNames(["https://hub.example"], resolver({})).missing("hub.example") == []
    assert await HostNames(["https://hub.example"], resolver(WORKING)).missing("hub.example") == ["hub.example"]


@pytest.mark.parametrize("trouble", [AGAIN, FAILED], ids=["try again", "SERVFAIL"])
async def test_servers_that_do_not_answer_are_waited_for(trouble: int) -> None:
    assert await HostNames(resolve=resolver(WORKING, trouble)).missing("registry.example") == []


async def test_a_silent_resolver_is_waited_for() -> None:
    async def silent(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    assert await HostNames(resolve=silent, answer_s=0.01).missing("registry.example") == []


async def test_a_reserved_name_needs_no_witness() -> None:
    assert await HostNames(resolve=resolver({})).missing("registry.invalid", "hub.example") == ["registry.invalid"]


async def test_addresses_and_names_behind_a_proxy_are_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    names = HostNames(resolve=resolver(WORKING))
    assert await names.missing("10.1.2.3", "::1", "") == []
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inner.example")
    assert await names.missing("outer.example", "inner.example") == ["inner.example"]


async def test_a_name_that_cannot_be_written_in_dns_is_missing() -> None:
    async def idna(host: str, port: int) -> list[str]:
        host.encode("idna")
        return ["10.0.0.1"]

    assert await HostNames(resolve=idna).missing("a" * 64 + ".example") == ["a" * 64 + ".example"]


@pytest.mark.parametrize(
    ("address", "host"),
    [("https://a.example:1/x", "a.example"), ("a.example:5000", "a.example"), ("a.example", "a.example"),
     ("https://[::1]:443", "::1"), ("", ""), ("http://[", "")],
)  # fmt: skip
def test_the_host_of_an_address(address: str, host: str) -> None:
    assert host_in(address) == host
