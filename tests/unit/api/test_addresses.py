"""URLs that lead into the cluster, the cloud or the machine are refused in every spelling."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.addresses import URL_MAX, AddressRefused, check_resolved, problem_of_url, refused_as

SPECIAL_V4 = [
    IPv4Network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.168.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "198.18.0.0/15", "168.63.129.16/32"),
    )
]
INNER_V4 = st.sampled_from(SPECIAL_V4).flatmap(
    lambda network: st.integers(int(network[0]), int(network[-1])).map(IPv4Address)
)
PUBLIC_V4 = (
    st.integers(0, 2**32 - 1).map(IPv4Address).filter(lambda address: address.is_global and refused_as(address) is None)
)


def spellings(address: IPv4Address) -> list[str]:
    """Everything that some program takes for this address."""
    number, parts = int(address), list(address.packed)
    plain = [str(address), f"{number}", f"{number:#x}", f"0{number:o}"]
    mixed = [
        ".".join(f"0{part:o}" for part in parts),
        ".".join(f"{part:#x}" for part in parts),
        ".".join(f"{part:03d}" for part in parts),
        f"{parts[0]}.{number & 0xFFFFFF}",
        f"{parts[0]}.{parts[1]}.{number & 0xFFFF}",
    ]
    high, low = number >> 16, number & 0xFFFF
    within_v6 = [
        *(
            f"[::ffff:{address}]",
            f"[::{address}]",
            f"[64:ff9b::{address}]",
            f"[::ffff:0:{address}]",
            f"[0:0:0:0:0:ffff:{high:x}:{low:x}]",
        ),
        *(f"[2002:{high:x}:{low:x}::]", f"[2001:db9::5efe:{high:x}:{low:x}]", f"[fe80::{address}%25eth0]"),
        f"[{IPv6Address((0x20010000 << 96) | (number ^ 0xFFFFFFFF))}]",
    ]
    texts = plain + mixed
    return [*texts, *(f"{text}." for text in texts), *(text.upper() for text in texts), *within_v6]


@given(INNER_V4, st.data())
def test_an_inner_address_is_refused_in_every_spelling(address: IPv4Address, data: st.DataObject) -> None:
    host = data.draw(st.sampled_from(spellings(address)))
    assert problem_of_url(f"http://{host}/data.json") is not None
    assert problem_of_url(f"https://{host}:8443/data.json?x=1#y") is not None


@given(PUBLIC_V4)
def test_a_public_address_is_accepted_as_four_decimal_numbers(address: IPv4Address) -> None:
    assert problem_of_url(f"https://{address}/data.json") is None


@given(st.text(max_size=100) | st.from_regex(r"https?://[^/]{0,40}(/.*)?", fullmatch=True))
def test_no_text_makes_it_fail(text: str) -> None:
    assert problem_of_url(text) is None or problem_of_url(text)


@pytest.mark.parametrize(
    "host",
    [
        *("[::1]", "[::]", "[fe80::1]", "[fe80::1%25eth0]", "[fd00:ec2::254]", "[fc00::1]", "[fec0::1]", "[ff02::1]"),
        *("localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain", "ip6-localhost", "metadata"),
        *("metadata.google.internal", "METADATA.google.internal.", "metadata.google", "instance-data.ec2.internal"),
        *("data.team.svc", "data.team.svc.cluster.local", "kubernetes", "mirror.local", "host.docker.internal"),
        *("168.63.129.16", "169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "255.255.255.255"),
    ],
)
def test_inner_names_and_addresses_are_refused(host: str) -> None:
    problem = problem_of_url(f"http://{host}/data.json")
    assert problem and "must not target a l" in problem


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://example.com/a", "must use HTTP or HTTPS, not 'ftp'"),
        ("file:///etc/passwd", "must use HTTP or HTTPS"),
        ("example.com/a", "no scheme"),
        ("//example.com/a", "no scheme"),
        ("http:///a", "no host"),
        ("http://", "no host"),
        ("http://user:secret@example.com/a", "user name or password"),
        ("http://example.com\\@127.0.0.1/a", "user name or password"),
        ("http://169.254.169.254\\a.example.com/", "not an ASCII host name"),
        ("http://example.com:0/a", "port"),
        ("http://example.com:/a", "port"),
        ("http://example.com:65536/a", "port"),
        ("http://example.com:http/a", "port"),
        ("http://[::1/a", "cannot be read"),
        ("http://%31%32%37.0.0.1/a", "not an ASCII host name"),
        ("http://①②⑦.⓪.⓪.①/a", "not an ASCII host name"),
        ("http://127。0。0。1/a", "cannot be read|not an ASCII host name"),
        ("http://a..example.com/a", "not an ASCII host name"),
        ("http://-a.example.com/a", "not an ASCII host name"),
        (f"http://{'a' * 64}.example.com/a", "not an ASCII host name"),
        ("http://0x7f.1/a", "four decimal numbers"),
        ("http://1.2.3.256/a", "four decimal numbers"),
        ("http://example.com/a b", "control character"),
        ("http://exam\tple.com/a", "control character"),
        ("\x00http://example.com/a", "control character"),
        (f"http://example.com/{'a' * URL_MAX}", "characters"),
        ("", "no scheme"),
    ],
)
def test_problems_are_reported(url: str, words: str) -> None:
    problem = problem_of_url(url)
    assert problem
    assert any(word in problem for word in words.split("|"))


@pytest.mark.parametrize(
    "url",
    [
        "https://raw.githubusercontent.com/org/repo/main/data.json",
        "http://example.com:8080/a.parquet?sig=a%2Fb&se=2026",
        "https://store.blob.core.windows.net/c/f.json?sv=1",
        "HTTPS://EXAMPLE.COM./a",
        "https://xn--bcher-kva.example/a",
        "https://[2606:4700:4700::1111]/a",
        "https://8.8.8.8/a",
        "https://example.com/ü.json",
    ],
)
def test_what_leads_outside_is_accepted(url: str) -> None:
    assert problem_of_url(url) is None


def test_a_problem_never_repeats_a_password_or_a_signature() -> None:
    problem = problem_of_url("http://user:hunter2@127.0.0.1/a?sig=topsecret")
    assert problem and "hunter2" not in problem and "topsecret" not in problem


def test_the_operator_may_allow_a_host_and_only_that_host() -> None:
    allowed = {"10.201.0.1", "mirror.team.svc"}
    assert problem_of_url("http://10.201.0.1:18080/a", allowed) is None
    assert problem_of_url("http://Mirror.team.svc./a", allowed) is None
    assert problem_of_url("http://10.201.0.2/a", allowed)
    assert problem_of_url("ftp://10.201.0.1/a", allowed)
    check_resolved("mirror.team.svc", ["10.0.0.7"], allowed)


def test_a_name_that_resolves_inwards_is_refused_even_when_another_address_is_public() -> None:
    with pytest.raises(AddressRefused, match=r"rebind\.example .*127\.0\.0\.1, which is a loopback address"):
        check_resolved("rebind.example", ["8.8.8.8", "127.0.0.1"])
    with pytest.raises(AddressRefused, match="link-local"):
        check_resolved("rebind.example", ["fe80::1%eth0"])
    with pytest.raises(AddressRefused, match="no address"):
        check_resolved("nothing.example", [])
    with pytest.raises(AddressRefused, match="no address"):
        check_resolved("odd.example", ["garbage"])
    check_resolved("fine.example", ["8.8.8.8", "2606:4700:4700::1111"])


INNER_V6 = ["::", "::1", "100::1", "2001::1", "2001:db8::1", "fc00::1", "fe80::1", "fec0::1", "ff02::1", "64:ff9b:1::1"]


@given(st.integers(0, 2**32 - 1).map(IPv4Address) | st.sampled_from(INNER_V6).map(IPv6Address))
def test_nothing_that_python_calls_inner_is_let_through(address: IPv4Address | IPv6Address) -> None:
    inner = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
    if inner or address.is_unspecified or address.version == 6:
        assert refused_as(address) is not None
