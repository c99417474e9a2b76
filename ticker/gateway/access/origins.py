"""The host names of this server, and the origins whose pages may use it.

Law: no clock and no socket. A page cannot choose the Host or the Origin that its browser sends. A
program can; against programs there are tokens.
Sources: RFC 6454 (origins), RFC 6455, section 10.2; RFC 9110, section 7.4 (misdirected requests).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from ticker.config import Config
from ticker.gateway.access.forwarded import Address
from ticker.gateway.access.problems import (
    BAD_REQUEST,
    FORBIDDEN_ORIGIN,
    UNKNOWN_HOST,
    Refusal,
)

LOOPBACK = ("localhost", "ip6-localhost")
PORTS = {"http": "80", "https": "443"}
SHOWN = 100  # characters of a stranger's text in a message
_ORIGIN = re.compile(r"(https?)://([^/?#@\s]+)(?:/.*)?", re.IGNORECASE)
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")
Origin = tuple[str, str, str]
"""Scheme, host, port."""


class Names:
    """The names of one server, by its configuration."""

    def __init__(self, config: Config) -> None:
        access = config.access
        public = read_origin(access.public_url or "")
        self.public = {public} if public else set()
        self.listed = {found for each in access.origins if (found := read_origin(each))}
        self.any_origin = "*" in access.origins
        self.any_host = "*" in access.hosts
        self.hosts = {
            host.lower().rstrip(".")
            for host in (*LOOPBACK, *access.hosts, *(public[1:2] if public else ()))
        }

    def check_host(self, hosts: Iterable[str]) -> None:
        """Refuse a request for a name that is not this server's.

        An attacker's name may point here (DNS rebinding), so that his page has this server's
        origin; the Host header shows that name. An address is not a name, and passes.

        Raises:
            Refusal: 421, or 400 for an invalid host.
        """
        for host in hosts:
            match = _HOST.fullmatch(host)
            if match is None:
                raise Refusal(BAD_REQUEST, "The Host header is not a name or address and a port.")
            name = match[1].rstrip(".")
            if self.any_host or name in self.hosts or _is_address(name):
                continue
            raise Refusal(
                UNKNOWN_HOST,
                f"This server does not know itself as {name[:SHOWN]!r}; its operator can add the "
                "name to access.hosts, or set access.public_url.",
                host=name[:SHOWN],
                key="access.hosts",
            )

    def check_written(self, hosts: list[str], authority: str | None = None) -> None:
        """Refuse a request that names several servers, or none with a header that is empty, or
        another one in its target (RFC 9112, section 3.2).

        Raises:
            Refusal: 400 or 421.
        """
        if len(hosts) > 1:
            raise Refusal(BAD_REQUEST, "There are several Host headers; send one.")
        if hosts == [""]:
            raise Refusal(BAD_REQUEST, "The Host header is empty; send a name or address in it.")
        if authority is not None:
            self.check_host([authority.lower()])

    def check_origin(self, origins: list[str], address: Address, proxy: str = "") -> None:
        """Refuse the page of another site, which would read prices with its visitor's rights.

        Args:
            origins: the request's origins; a request without any is not a page's.
            address: the address that the request was sent to.
            proxy: the peer, if it sent a proxy's headers and is not trusted.

        Raises:
            Refusal: 403; its text says which key to set.
        """
        if not origins or self.any_origin:
            return
        origin = read_origin(origins[0])
        known = self.listed | self.public | own_origins(address)
        if len(origins) > 1 or origin is None or origin not in known:
            raise self._forbidden(origins[0][:SHOWN], origin, address, proxy)

    def _forbidden(self, text: str, origin: Origin | None, address: Address, proxy: str) -> Refusal:
        here = " or ".join(address.hosts)[:SHOWN] or "nothing"
        said = f"Pages of {text!r} may not connect: this request was sent to {here}."
        if origin is None:
            return Refusal(FORBIDDEN_ORIGIN, f"{said} A page of no origin is never let in.")
        said += (
            f" If {text} is this server's own address, as behind a proxy, its operator sets "
            f'access.public_url = "{text}"; if it is another site, access.origins = ["{text}"].'
        )
        if proxy:
            said += (
                " The headers of a proxy that came with it are believed of addresses in "
                f'access.proxies alone: proxies = ["{proxy}"].'
            )
        key = "access.public_url or access.origins"
        return Refusal(FORBIDDEN_ORIGIN, said, origin=text, key=key)


def own_origins(address: Address) -> set[Origin]:
    """The origins that a page at this address has."""
    found: set[Origin] = set()
    for host in address.hosts:
        match = _HOST.fullmatch(host)
        if match is not None:
            found |= {(scheme, match[1], match[2] or PORTS[scheme]) for scheme in address.schemes}
    return found


def read_origin(text: str) -> Origin | None:
    """The origin in a text or URL; None if there is none that can be compared."""
    match = _ORIGIN.fullmatch(text)
    host = _HOST.fullmatch(match[2].lower()) if match else None
    if match is None or host is None:
        return None
    scheme = match[1].lower()
    return scheme, host[1], host[2] or PORTS[scheme]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
