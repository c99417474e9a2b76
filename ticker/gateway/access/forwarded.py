"""The headers of HTTP proxies: the client of a request, and the address that the client wrote.

Law: only headers of a configured proxy are believed, and only the header that `access.forwarded`
names, because a proxy passes the other one on as the client wrote it.
Sources: RFC 7239 (Forwarded); X-Forwarded-* as nginx, HAProxy, Caddy and Apache write them, with
and without ports, brackets and quotes.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from ticker.gateway.access.addresses import canonical

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Values = Callable[[str], list[str]]
"""All values of a header, by its name."""

MOST_HOPS = 32  # proxies in a row; a longer chain is forged, to cost time
SCHEMES = ("http", "https")
_QUOTED_OR = {
    separator: re.compile(rf'"(?:[^"\\]+|\\.)*"?|{separator}', re.DOTALL) for separator in ",;"
}


@dataclass(frozen=True)
class Address:
    """The possible addresses that a client wrote: any of `hosts` (`host[:port]` in lower case) with
    any of `schemes`."""

    hosts: tuple[str, ...]
    schemes: tuple[str, ...] = SCHEMES


@dataclass(frozen=True)
class Hop:
    """One proxy's entry about its connection; `client` is None if the proxy hides it."""

    client: str | None
    host: str = ""
    scheme: str = ""


class Proxies:
    """The trusted proxies; `forwarded` is "x-forwarded" or "forwarded"."""

    def __init__(self, networks: Iterable[str], forwarded: str = "x-forwarded") -> None:
        self.networks = parse_networks(networks)
        self.forwarded = forwarded

    def trusts(self, address: str) -> bool:
        """Whether the address is a trusted proxy's; False for a text that is no address."""
        return is_among(address, self.networks)

    def client(self, values: Values, peer: str) -> str:
        """The address of the request's client: the last one that is not a trusted proxy's.

        The addresses to its left were written by the client and prove nothing.
        """
        address = canonical(peer)
        for hop in self._trusted(values, peer):
            if hop.client is None:
                break
            address = hop.client
        return address

    def address(self, values: Values, peer: str, *, encrypted: bool) -> Address:
        """The address that the client wrote. `encrypted`: TLS ends here."""
        written = Address(_hosts(values("host")), SCHEMES[1:] if encrypted else SCHEMES)
        if not self.trusts(peer):
            return written
        if self.forwarded == "x-forwarded":
            said = _x_forwarded(values)
        else:
            hops = list(self._trusted(values, peer))
            said = _said([hop.host for hop in hops[-1:]], [hop.scheme for hop in hops[-1:]])
        return Address(
            tuple(dict.fromkeys((*said.hosts, *written.hosts))), said.schemes or written.schemes
        )

    def _trusted(self, values: Values, peer: str) -> Iterator[Hop]:
        """The entries of trusted proxies, the nearest one first."""
        address: str | None = peer
        for hop in islice(self._hops(values), MOST_HOPS):
            if address is None or not self.trusts(address):
                return
            yield hop
            address = hop.client

    def _hops(self, values: Values) -> Iterator[Hop]:
        if self.forwarded == "x-forwarded":
            for text in reversed(_listed(values("x-forwarded-for"))):
                yield Hop(node_address(text))
            return
        for value in reversed(values("forwarded")):
            for element in reversed(_parts(value, ",")):
                yield _hop(element)


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks of `access.proxies`; IPv4-mapped ones are the IPv4 ones."""
    return tuple(_network(ipaddress.ip_network(text)) for text in texts)


def _network(network: Network) -> Network:
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < 96:
        return network
    return ipaddress.ip_network((mapped, network.prefixlen - 96))


def is_among(address: str, networks: Sequence[Network]) -> bool:
    """Whether the address is in one of the networks; False for a text that is no address."""
    try:
        found = ipaddress.ip_address(canonical(address))
    except ValueError:
        return False
    return any(found in network for network in networks)


def node_address(text: str) -> str | None:
    """The address in one entry of X-Forwarded-For, or in a `for=`: `203.0.113.7`,
    `203.0.113.7:40000`, `2001:db8::7`, `"[2001:db8::7]:40000"`. None: a name, or nothing of it."""
    text = _unquoted(text)
    if text.startswith("["):
        text, bracket, port = text[1:].partition("]")
        if not bracket or (port and not _is_port(port[:1], port[1:])):
            return None
    elif text.count(":") == 1:
        text, colon, port = text.partition(":")
        if not _is_port(colon, port):
            return None
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return None
    return canonical(text)


def _hop(element: str) -> Hop:
    """An element of Forwarded (RFC 7239, section 4)."""
    pairs: dict[str, str] = {}
    for pair in _parts(element, ";"):
        name, _, value = pair.partition("=")
        pairs.setdefault(name.strip().lower(), value)
    return Hop(
        node_address(pairs.get("for", "")),
        _unquoted(pairs.get("host", "")),
        _unquoted(pairs.get("proto", "")),
    )


def _x_forwarded(values: Values) -> Address:
    """X-Forwarded-Host and -Proto; a host without a port has that of X-Forwarded-Port, too, where
    all proxies say the same one."""
    hosts = [_unquoted(host) for host in _listed(values("x-forwarded-host"))]
    ports = {port for port in _listed(values("x-forwarded-port")) if _is_port(":", port)}
    if len(ports) == 1:
        port = ports.pop()
        hosts += [f"{host}:{port}" for host in hosts if not _has_port(host)]
    return _said(hosts, _listed(values("x-forwarded-proto")))


def _said(hosts: Iterable[str], schemes: Iterable[str]) -> Address:
    """`schemes` may be those of WebSocket; empty: nothing is said."""
    plain = {"ws": "http", "wss": "https"}
    known = [plain.get(scheme.lower(), scheme.lower()) for scheme in schemes]
    return Address(_hosts(hosts), tuple(dict.fromkeys(each for each in known if each in SCHEMES)))


def _hosts(hosts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(host.lower() for host in hosts if host))


def _listed(values: Iterable[str]) -> list[str]:
    return [part.strip() for value in values for part in value.split(",")]


def _parts(text: str, separator: str) -> list[str]:
    """The parts between unquoted separators. An open quote hides the rest."""
    parts, start = [], 0
    for match in _QUOTED_OR[separator].finditer(text):
        if match[0] == separator:
            parts.append(text[start : match.start()])
            start = match.end()
    return [*parts, text[start:]]


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _has_port(host: str) -> bool:
    return ":" in host.rpartition("]")[2]


def _is_port(colon: str, port: str) -> bool:
    return colon == ":" and port.isascii() and port.isdigit() and len(port) < 6
