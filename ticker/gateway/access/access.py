"""Who comes in: addresses behind proxies, limits by address, origins, tokens.

In: what the front has read of a connection. Out: yes, or a Refusal. It keeps, by connection number,
the address that a connection counts for and what its token has opened; no socket, no clock. Rates
and deadlines go by the monotonic clock (`steady_ns`), tokens expire by the wall clock (`now_ns`).
"""

from __future__ import annotations

from collections import Counter

from ticker.config import Config
from ticker.gateway.access.addresses import AddressLimits
from ticker.gateway.access.auth import EVERYBODY, Authenticator, AuthError, Grant
from ticker.gateway.access.handshake import Head
from ticker.gateway.access.problems import (
    FORBIDDEN_ORIGIN,
    NOT_AUTHENTICATED,
    TOO_MANY_CONNECTIONS,
    Refusal,
)
from ticker.gateway.access.proxy import forwarded_for, is_among, parse_networks

NS = 1_000_000_000
TOKEN_PROTOCOL = "ticker.token."
BEARER = "bearer "


class Access:
    """The rules of one gateway worker; `authenticator` is None where nobody is asked."""

    def __init__(self, config: Config, authenticator: Authenticator | None = None) -> None:
        self.authenticator = authenticator
        self.limits = AddressLimits(0, 0, 0)
        self.configure(config)
        self.addresses: dict[int, str] = {}  # counted, by connection
        self.unheaded: dict[int, str] = {}  # proxies whose PROXY header has not come
        self.grants: dict[int, Grant] = {}
        self.strangers: dict[int, int] = {}  # ns by which each must have shown a token, in order
        self.held: Counter[str] = Counter()  # connections by the name of their grant

    def configure(self, config: Config) -> None:
        """Take over what may change while the server runs."""
        self.origins = frozenset(config.access.origins)
        self.proxies = parse_networks(config.access.proxies)
        self.proxy_protocol = config.access.proxy_protocol
        self.required = config.auth is not None and config.auth.required
        self.timeout = int((config.auth.timeout if config.auth else 0.0) * NS)
        self.limits.connections = config.access.connections_per_address
        self.limits.rate = config.access.handshakes_per_second
        self.limits.burst = float(config.access.handshakes_burst)

    @property
    def counts(self) -> bool:
        """Whether accepted() wants to be asked at all."""
        return self.limits.active or self.proxy_protocol

    def accepted(self, number: int, peer: str, steady_ns: int) -> None:
        """A connection has come, nothing of it has been read. Raises Refusal."""
        if is_among(peer, self.proxies):
            if self.proxy_protocol:
                self.unheaded[number] = peer
            return  # counted once its client is known
        self._count(number, peer, steady_ns)

    def introduced(self, number: int, client: str | None, steady_ns: int) -> None:
        """A proxy's PROXY header has named the client; None: the connection is the proxy's own.
        Raises Refusal."""
        del self.unheaded[number]
        if client is not None:
            self._count(number, client, steady_ns)

    def opening(self, number: int, head: Head, peer: str, steady_ns: int) -> None:
        """A handshake has come: may this page, and this client, open a stream? Raises Refusal."""
        if number not in self.addresses and is_among(peer, self.proxies):
            values = head.values("x-forwarded-for")
            self._count(number, forwarded_for(values, peer, self.proxies), steady_ns)
        self.check_origin(head.values("origin"), head.values("host"))

    def check_origin(self, origins: list[str], hosts: list[str]) -> None:
        """A page of another site may not read with its visitor's access (RFC 6455, 10.2)."""
        if not origins or "*" in self.origins:
            return
        own = {f"{scheme}://{host}" for host in hosts for scheme in ("http", "https")}
        if len(origins) > 1 or origins[0] not in own | self.origins:
            raise Refusal(
                FORBIDDEN_ORIGIN,
                f"Pages of {origins[0][:100]!r} may not connect; "
                "the operator can add it to access.origins.",
            )

    def opened(self, number: int, steady_ns: int) -> None:
        """A stream is open; where tokens are asked for, its time to show one begins."""
        if self.required:
            self.strangers[number] = steady_ns + self.timeout

    def overdue(self, steady_ns: int) -> list[int]:
        """The streams whose time to show a token is over."""
        found = []
        for number, deadline in self.strangers.items():
            if deadline > steady_ns:
                break
            found.append(number)
        return found

    def dismissed(self, number: int) -> None:
        """The connection is told to go: nothing more is expected of it."""
        self.strangers.pop(number, None)
        self._let_go(number)

    def closed(self, number: int) -> None:
        """The connection is gone."""
        self.unheaded.pop(number, None)
        address = self.addresses.pop(number, None)
        if address is not None:
            self.limits.release(address)
        self.dismissed(number)

    def moved(self, number: int) -> str | None:
        """The connection goes on elsewhere, under the address that is returned; give it back by
        limits.release() at its end."""
        self.unheaded.pop(number, None)
        return self.addresses.pop(number, None)

    def enter(self, number: int, token: str, now_ns: int) -> Grant:
        """Open what the token opens for this connection.

        Raises:
            AuthError: nothing; the connection has what it had before.
        """
        if self.authenticator is None:
            return EVERYBODY
        grant = self.authenticator.grant(token, now_ns)
        others = self.held[grant.name] - (self.grant(number) == grant)
        if grant.connections and others >= grant.connections:
            raise TooManyConnectionsError(
                f"{grant.name} has {grant.connections} connections here, its most; close one"
            )
        self._let_go(number)
        self.strangers.pop(number, None)
        self.grants[number] = grant
        self.held[grant.name] += 1
        return grant

    def grant(self, number: int) -> Grant | None:
        """What the connection may see; None: it has to say who it is first."""
        found = self.grants.get(number)
        return EVERYBODY if found is None and not self.required else found

    def expired(self, now_ns: int) -> list[int]:
        """The connections whose grant has run out."""
        return [number for number, grant in self.grants.items() if 0 < grant.expires <= now_ns]

    def revoked(self) -> list[int]:
        """The connections whose static token is not in the configuration any more."""
        known = set(self.authenticator.tokens.values()) if self.authenticator else set()
        return [
            number
            for number, grant in self.grants.items()
            if not grant.expires and grant not in known
        ]

    def request_grant(self, headers: list[str], now_ns: int) -> Grant:
        """What a REST request may see by its Authorization header. Raises Refusal, a 401."""
        if self.authenticator is None or (not headers and not self.required):
            return EVERYBODY
        token = _bearer(headers)
        if token is None:
            raise _unauthorised("Send the header Authorization: Bearer TOKEN.")
        try:
            return self.authenticator.grant(token, now_ns)
        except AuthError as error:
            raise _unauthorised(f"{error}.", error="invalid_token") from None

    def _count(self, number: int, address: str, steady_ns: int) -> None:
        if not self.limits.active:
            return
        reason = self.limits.admit(address, steady_ns)
        if reason is not None:
            raise Refusal(TOO_MANY_CONNECTIONS, f"{reason}.", headers={"Retry-After": "1"})
        self.addresses[number] = address

    def _let_go(self, number: int) -> None:
        grant = self.grants.pop(number, None)
        if grant is not None:
            self.held[grant.name] -= 1
            if not self.held[grant.name]:
                del self.held[grant.name]


class TooManyConnectionsError(AuthError):
    """The token is right, and in use as often as it may be."""


def offered_token(head: Head) -> str | None:
    """The token in a handshake: `Authorization: Bearer`, or a subprotocol `ticker.token.TOKEN`,
    which is what a page can send."""
    token = _bearer(head.values("authorization"))
    if token is not None:
        return token
    for value in head.values("sec-websocket-protocol"):
        for offer in value.split(","):
            if offer.strip().startswith(TOKEN_PROTOCOL):
                return offer.strip()[len(TOKEN_PROTOCOL) :]
    return None


def _bearer(headers: list[str]) -> str | None:
    if len(headers) == 1 and headers[0].lower().startswith(BEARER):
        return headers[0][len(BEARER) :].strip()
    return None


def _unauthorised(detail: str, error: str = "") -> Refusal:
    challenge = 'Bearer realm="ticker"' + (f', error="{error}"' if error else "")
    return Refusal(NOT_AUTHENTICATED, detail, headers={"WWW-Authenticate": challenge})
