"""The headers of HTTP proxies about their clients, in all spellings of real proxies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.gateway.access.forwarded import Address, Proxies, node_address

NETWORKS = ["10.0.0.0/8", "127.0.0.1", "2001:db8:ffff::/48", "::ffff:172.16.0.0/108"]
X = Proxies(NETWORKS)
RFC = Proxies(NETWORKS, "forwarded")


def values(**headers: list[str]) -> dict[str, list[str]]:
    return {name.replace("_", "-"): texts for name, texts in headers.items()}


def client(proxies: Proxies, peer: str, **headers: list[str]) -> str:
    found = values(**headers)
    return proxies.client(lambda name: found.get(name, []), peer)


def address(
    proxies: Proxies, peer: str, *, encrypted: bool = False, **headers: list[str]
) -> Address:
    found = values(**headers)
    return proxies.address(lambda name: found.get(name, []), peer, encrypted=encrypted)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.0.2.43", "192.0.2.43"),
        (" 192.0.2.43 ", "192.0.2.43"),
        ("192.0.2.43:47011", "192.0.2.43"),
        ('"192.0.2.43:47011"', "192.0.2.43"),
        ("2001:db8:cafe::17", "2001:db8:cafe::17"),
        ("[2001:db8:cafe::17]", "2001:db8:cafe::17"),
        ('"[2001:db8:cafe::17]"', "2001:db8:cafe::17"),
        ('"[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"),
        ("[2001:DB8:CAFE::17]:4711", "2001:db8:cafe::17"),
        ("::ffff:192.0.2.43", "192.0.2.43"),
        ("[::ffff:192.0.2.43]:4711", "192.0.2.43"),
        ("fe80::1%eth0", "fe80::1"),
        ("", None),
        ("unknown", None),
        ("_hidden", None),
        ("192.0.2", None),
        ("192.0.2.43:port", None),
        ("192.0.2.43:123456", None),
        ("[2001:db8:cafe::17", None),
        ("[2001:db8:cafe::17]4711", None),
        ("desk.example:80", None),
    ],
)
def test_an_address_is_read_however_it_is_written(text: str, found: str | None) -> None:
    assert node_address(text) == found


CHAINS = [
    # what proxies have written, oldest first; who has connected; whose request it is
    ([], "10.0.0.1", "10.0.0.1"),
    (["198.51.100.7"], "10.0.0.1", "198.51.100.7"),
    (["198.51.100.7"], "203.0.113.1", "203.0.113.1"),  # a stranger says so
    (["1.1.1.1", "198.51.100.7"], "10.0.0.1", "198.51.100.7"),  # the client wrote the first one
    (["198.51.100.7", "10.9.9.9"], "127.0.0.1", "198.51.100.7"),  # two proxies in a row
    (["198.51.100.7:40000", "10.9.9.9:80"], "127.0.0.1", "198.51.100.7"),
    (["[2001:db8::7]:40000", "[2001:db8:ffff::1]:80"], "127.0.0.1", "2001:db8::7"),
    (["::ffff:198.51.100.7", "::ffff:10.9.9.9"], "::ffff:127.0.0.1", "198.51.100.7"),
    (["198.51.100.7", "172.20.0.1"], "127.0.0.1", "198.51.100.7"),  # a mapped network
    (["nonsense"], "10.0.0.1", "10.0.0.1"),
    (["198.51.100.7", "unknown"], "10.0.0.1", "10.0.0.1"),  # it does not say whose
]


@pytest.mark.parametrize(("chain", "peer", "found"), CHAINS)
def test_the_client_is_who_the_last_trusted_proxy_names(
    chain: list[str], peer: str, found: str
) -> None:
    assert client(X, peer, x_forwarded_for=[", ".join(chain)] if chain else []) == found
    assert client(X, peer, x_forwarded_for=chain) == found, "a header each"
    elements = [f'for="{each}";proto=https' for each in chain]
    assert client(RFC, peer, forwarded=[", ".join(elements)] if elements else []) == found
    assert client(RFC, peer, forwarded=elements) == found


@pytest.mark.parametrize(
    "text",
    [
        "for=198.51.100.7",
        "For=198.51.100.7;Proto=http;By=203.0.113.43",
        'by=203.0.113.43; FOR="198.51.100.7:4711" ;proto=http',
        'for="_a;b,c", for=198.51.100.7',
        'for="_a\\",b", for=198.51.100.7',
    ],
)
def test_forwarded_as_its_specification_writes_it(text: str) -> None:
    assert client(RFC, "10.0.0.1", forwarded=[text]) == "198.51.100.7"


def test_an_open_quote_of_the_client_hides_nobody() -> None:
    said = 'for="x, for=198.51.100.7'
    assert client(RFC, "10.0.0.1", forwarded=[said]) == "10.0.0.1"


def test_only_the_header_that_the_proxies_write_is_believed() -> None:
    both = {"x_forwarded_for": ["198.51.100.7"], "forwarded": ["for=198.51.100.8"]}
    assert client(X, "10.0.0.1", **both) == "198.51.100.7"
    assert client(RFC, "10.0.0.1", **both) == "198.51.100.8"
    assert client(X, "10.0.0.1", forwarded=["for=198.51.100.8"]) == "10.0.0.1"
    assert client(RFC, "10.0.0.1", x_forwarded_for=["198.51.100.7"]) == "10.0.0.1"


@pytest.mark.parametrize(
    ("headers", "hosts", "schemes"),
    [
        ({}, ("127.0.0.1:8700",), ("http", "https")),
        ({"x_forwarded_host": ["Desk.Example"]}, ("desk.example",), ("http", "https")),
        (
            {"x_forwarded_host": ["desk.example"], "x_forwarded_proto": ["https"]},
            ("desk.example",),
            ("https",),
        ),
        ({"x_forwarded_proto": ["wss"]}, (), ("https",)),
        ({"x_forwarded_proto": ["gopher"]}, (), ("http", "https")),
        ({"x_forwarded_host": ["a.example, b.example"]}, ("a.example", "b.example"), ()),
        (
            {"x_forwarded_host": ["desk.example"], "x_forwarded_port": ["8443"]},
            ("desk.example", "desk.example:8443"),
            (),
        ),
        ({"x_forwarded_host": ["[2001:db8::1]:8443"], "x_forwarded_port": ["1"]}, (), ()),
    ],
)
def test_the_address_that_the_client_wrote(
    headers: dict[str, list[str]], hosts: tuple[str, ...], schemes: tuple[str, ...]
) -> None:
    sent: dict[str, Any] = {**headers, "host": ["127.0.0.1:8700"]}
    found = address(X, "10.0.0.1", **sent)
    assert found.hosts[-1] == "127.0.0.1:8700", "what arrived here counts, too"
    if hosts:
        assert found.hosts[: len(hosts)] == hosts
    assert found.schemes == (schemes or ("http", "https"))
    stranger = address(X, "203.0.113.1", **sent)
    assert stranger == Address(("127.0.0.1:8700",))


def test_forwarded_says_the_address_by_the_proxy_that_saw_the_client() -> None:
    forged = "for=192.0.2.1;host=forged.example"  # the client's own, before any proxy's
    first = 'for=198.51.100.7;host="desk.example:8443";proto=https'
    others = "for=10.1.1.1;host=inner.example;proto=http, for=10.2.2.2;host=innermost.example"
    for said in (f"{first}, {others}", f"{forged}, {first}, {others}"):
        found = address(RFC, "10.0.0.1", host=["127.0.0.1"], forwarded=[said])
        assert found == Address(("desk.example:8443", "127.0.0.1"), ("https",))


def test_where_tls_ends_here_the_address_begins_with_https() -> None:
    assert address(X, "203.0.113.1", host=["a"], encrypted=True).schemes == ("https",)


def test_many_hosts_and_ports_cost_no_more_than_their_bytes() -> None:
    """A client can fill its whole head with them, and a proxy pass them on."""

    def hosts(said: str, ports: str) -> tuple[str, ...]:
        headers = {"x_forwarded_host": [said], "x_forwarded_port": [ports], "host": ["127.0.0.1"]}
        return address(X, "10.0.0.1", encrypted=False, **headers).hosts

    assert hosts("a," * 2000, "1,2," * 1000) == ("a", "127.0.0.1")
    assert hosts("a, b:1", "8443, 8443") == ("a", "b:1", "a:8443", "127.0.0.1")


def test_a_chain_ends() -> None:
    chain = ["198.51.100.7", *["10.9.9.9"] * 20]
    assert client(X, "10.0.0.1", x_forwarded_for=[", ".join(chain)]) == "198.51.100.7"
    endless = ", ".join(["198.51.100.7", *["10.9.9.9"] * 500])
    assert client(X, "10.0.0.1", x_forwarded_for=[endless]) == "10.9.9.9"


@given(st.lists(st.text(alphabet='for=[]:.,;"\\19af%h ', max_size=60), max_size=3))
def test_any_header_names_an_address_or_nobody(texts: list[str]) -> None:
    for proxies in (X, RFC):
        found = client(proxies, "10.0.0.1", forwarded=texts, x_forwarded_for=texts)
        assert node_address(found) == found
